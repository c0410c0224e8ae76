import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { PipelineError } from '../schemas/errors.ts';
import { toProblem } from '../schemas/problem.ts';

/** Answers what node cannot read as an HTTP request, in the shape of every other problem, and hangs up. */
export function refuseClient(error: { readonly code?: string }, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = toProblem(new PipelineError('BODY_MALFORMED', 'this is not an HTTP request'), requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

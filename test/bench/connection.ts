import { connect, type Socket } from 'node:net';

/** One keep-alive connection, one request at a time. */
export interface Connection {
  /** Resolves with the status once the whole answer is in. */
  send(head: string, body: Buffer): Promise<number>;
  close(): void;
}

const END_OF_HEAD = '\r\n\r\n';

/**
 * The least an HTTP client can do, so that on a shared machine it takes little from the server it measures: written
 * bytes are what the caller made, and of an answer only status and length are read.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = await dial(port);
  let received = '';
  let settle:
    { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void } | undefined;
  const fail = (error: Error): void => {
    settle?.reject(error);
    settle = undefined;
  };
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
    const status = statusOf(received);
    if (status === undefined) return;
    received = '';
    settle?.resolve(status);
    settle = undefined;
  });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the server closed the connection')));
  return {
    send: (head, body) =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject };
        socket.cork();
        socket.write(head, 'latin1');
        socket.write(body);
        socket.uncork();
      }),
    close: () => socket.destroy(),
  };
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Status of a whole answer, or undefined while some of it is still to come. */
function statusOf(text: string): number | undefined {
  const end = text.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(text)?.[1];
  if (length === undefined) throw new Error('the answer has no length');
  return text.length >= end + END_OF_HEAD.length + Number(length) ? Number(text.slice(9, 12)) : undefined;
}

/** A host name for tests that must not use an address: found on this machine, without a network and without a change to it. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, isIP } from 'node:net';
import { hostname } from 'node:os';

export interface HostName {
  readonly name: string;
  /** The name resolves to it, and a server can listen on it. */
  readonly address: string;
}

/** On the loopback address only, as all servers under test. Undefined, with the reason printed, where no name but `localhost` leads to this machine. */
export async function findHostName(): Promise<HostName | undefined> {
  for (const name of candidates()) {
    const address = await addressOf(name);
    if (address !== undefined) return { name, address };
  }
  process.stderr.write('skipped: no host name but localhost leads to the loopback address\n');
  return undefined;
}

/** The names in the hosts file resolve at once; the others may need the resolver of the system. */
function candidates(): readonly string[] {
  const names = [...namesInHostsFile(), hostname(), 'collector.localhost', 'localhost.'];
  const isUsable = (name: string) => /^[a-z0-9.-]+$/.test(name) && name !== 'localhost' && isIP(name) === 0;
  return [...new Set(names.map((name) => name.toLowerCase()))].filter(isUsable);
}

function namesInHostsFile(): readonly string[] {
  try {
    const lines = readFileSync('/etc/hosts', 'utf8').split('\n');
    return lines.flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1));
  } catch {
    return [];
  }
}

/** Undefined where the name leads nowhere, to more than one address, or not to the loopback address. */
async function addressOf(name: string): Promise<string | undefined> {
  const found = await lookup(name, { all: true }).catch(() => []);
  const [first, ...others] = new Set(found.map(({ address }) => address));
  if (first === undefined || others.length > 0 || !isLoopback(first)) return undefined;
  return (await canListen(first)) ? first : undefined;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

async function canListen(address: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(0, address);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

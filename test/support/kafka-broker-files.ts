import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const KAFKA_VERSION = '4.1.1';
const SLF4J_VERSION = '1.7.36';

const PROJECT = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>affidavit</groupId><artifactId>engines</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>${SLF4J_VERSION}</version></dependency>
  </dependencies>
</project>
`;

/** Folder of engines that tests fetched, outside the tree. */
function cacheFolder(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['AFFIDAVIT_TEST_CACHE'] ?? join(cache, 'affidavit-engines');
}

/**
 * Folder with the broker's libraries; fetched once through Maven with its own settings. Any number of processes may ask
 * at the same time: each fetches into a folder of its own and the first to be done gives it the name.
 */
export async function fetchKafka(): Promise<string> {
  await runToEnd(['java', '-version']);
  const home = join(cacheFolder(), `kafka-${KAFKA_VERSION}`);
  if (existsSync(home)) return home;
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(join(cacheFolder(), 'fetching-'));
  try {
    await writeFile(join(work, 'pom.xml'), PROJECT);
    const libraries = join(work, 'libraries');
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${libraries}`];
    await runToEnd(['mvn', '-q', '-B', '-f', join(work, 'pom.xml'), ...copy]);
    await rename(libraries, home).catch((error: unknown) => {
      if (!existsSync(home)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return home;
}

/** Standard output of a command that must succeed. */
export function runToEnd([command, ...args]: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command!, args, { timeout: 300_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} failed: ${(stderr || stdout || error.message).slice(-500)}`));
    });
  });
}

/** A copy of the working tree in a temporary folder. Defects are planted there and never in the tree itself. */
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { plant, type Mutant } from './mutant.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Not needed by tests, or linked. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.git', 'node_modules', 'data', 'coverage']);
const BUILT = 'dist';

/** A file that is compiled alone does not show that its package is made of ES modules. */
const ES_MODULES = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };

export interface TreeCopy {
  readonly dir: string;
  /** Runs the work while the defect is in the copy, in its source and in its build. Throws where it does not apply. */
  while<T>(mutant: Mutant, work: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

export async function copyTree(): Promise<TreeCopy> {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-mutants-'));
  for (const { name } of await readdir(ROOT, { withFileTypes: true })) {
    if (!LEFT_OUT.has(name)) await cp(join(ROOT, name), join(dir, name), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return {
    dir,
    async while(mutant, work) {
      const source = join(dir, mutant.file);
      const built = join(dir, BUILT, mutant.file.replace(/\.ts$/, '.js'));
      const before = { source: await readFile(source, 'utf8'), built: await readFile(built, 'utf8') };
      const planted = plant(before.source, mutant);
      const compiled = compile(planted, mutant);
      await writeFile(source, planted);
      await writeFile(built, compiled);
      try {
        return await work();
      } finally {
        await writeFile(source, before.source);
        await writeFile(built, before.built);
      }
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** One file as the build compiles it, without a look at types. Throws for a text that is not TypeScript. */
function compile(text: string, { name, file }: Mutant): string {
  const path = join(ROOT, 'tsconfig.build.json');
  const config = ts.getParsedCommandLineOfConfigFile(
    path,
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => undefined,
    },
  );
  const { outputText, diagnostics = [] } = ts.transpileModule(text, {
    fileName: join(ROOT, file),
    compilerOptions: { ...config?.options, ...ES_MODULES, sourceMap: false },
    reportDiagnostics: true,
  });
  const [first] = diagnostics;
  if (first === undefined) return outputText;
  throw new Error(`${name} does not compile: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}`);
}

/** The test files that do not exist. */
export function missingTests({ tests }: Mutant): string[] {
  return tests.filter((test) => !existsSync(join(ROOT, test)));
}

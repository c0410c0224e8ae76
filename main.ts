#!/usr/bin/env node
/** The program's entry. An agent waits for each of its hooks, so the hook client starts without loading the rest. */
if (process.argv[2] === 'hook') await import('./ingest/hook/main.ts');
else await import('./cli.ts');

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlaces, sealPath } from '../../ingest/sealed-path.ts';

const NOWHERE = readPlaces({});
const LAPTOP = readPlaces({
  working: '/home/alice/acme-web',
  transcript: '/home/alice/.claude/projects/-home-alice-acme-web/8b1f.jsonl',
});

describe('sealPath without any stated folder', () => {
  it.each([
    // POSIX
    ['/home/alice/acme-web/.env', '~/acme-web/.env'],
    ['/home/alice/acme-web/', '~/acme-web'],
    ['/home/alice', '~'],
    ['/home//alice/./acme//a.ts', '~/acme/a.ts'],
    ['//home/alice/a.ts', '~/a.ts'],
    ['/home/alice/../bob/.ssh/id_rsa', '~/.ssh/id_rsa'],
    ['/home/alice/../../etc/passwd', '/etc/passwd'],
    ['/srv/../home/alice/a', '~/a'],
    ['/home/alice.smith@corp.example.com/a', '~/a'],
    ['/home/CORP/alice/a', '~/a'],
    ['/home/ålice ö/a', '~/a'],
    ['/var/home/alice/a', '~/a'],
    ['/export/home/alice/a', '~/a'],
    ['/mnt/nas/home/alice/a', '~/a'],
    ['/proc/self/root/home/alice/a', '~/a'],
    ['/root/.ssh/id_rsa', '~root/.ssh/id_rsa'],
    ['/root', '~root'],
    ['/etc/passwd', '/etc/passwd'],
    ['/tmp/x', '/tmp/x'],
    ['/home', '/home'],
    ['/', '/'],
    ['/srv/app/home/index.html', '/srv/app/home/index.html'],
    ['/run/media/alice/USB/a', '/run/media/~/USB/a'],
    ['/var/mail/alice', '/var/mail/~'],
    ['/var/spool/cron/crontabs/root', '/var/spool/cron/crontabs/root'],
    ['/tmp/claude-0/-home-alice-acme-web/tasks/1.output', '/tmp/claude-0/-~/tasks/1.output'],
    ['/home/alice/.claude/projects/-home-alice-acme-web/1.jsonl', '~/.claude/projects/-~/1.jsonl'],
    ['/home/alice/work/alice/notes.md', '~/work/~/notes.md'],
    // macOS
    ['/Users/alice/acme/a.ts', '~/acme/a.ts'],
    ['/users/Alice Smith/a', '~/a'],
    ['/System/Volumes/Data/Users/alice/a', '~/a'],
    ['/Volumes/Macintosh HD/Users/alice/a', '~/a'],
    ['/Users/Shared/a', '/Users/Shared/a'],
    ['/private/tmp/x', '/tmp/x'],
    ['/private/var/root/a', '~root/a'],
    // Windows
    ['C:\\Users\\alice\\acme\\.env', '~/acme/.env'],
    ['c:/users/Alice Smith/acme\\.env', '~/acme/.env'],
    ['C:\\Users\\ALICE~1\\AppData\\Local\\a', '~/AppData/Local/a'],
    ['C:\\Documents and Settings\\alice\\a', '~/a'],
    ['C:\\Users\\Public\\a', 'C:/Users/Public/a'],
    ['d:\\src\\acme\\a.ts', 'D:/src/acme/a.ts'],
    ['C:\\', 'C:/'],
    ['C:', 'C:/'],
    ['C:Users\\alice\\a', '~/a'],
    ['\\Users\\alice\\a', '~/a'],
    ['\\\\?\\C:\\Users\\alice\\a', '~/a'],
    ['\\\\.\\C:\\Users\\alice\\a', '~/a'],
    ['\\\\server\\share\\alice', '//~'],
    ['\\\\server\\share\\alice\\acme\\.env', '//~/acme/.env'],
    ['\\\\server\\share\\.env', '//~/.env'],
    ['\\\\server\\users$\\alice\\acme\\a', '~/acme/a'],
    ['\\\\alice-pc\\c$\\Users\\alice\\a', '~/a'],
    ['\\\\?\\UNC\\server\\home\\alice\\a', '~/a'],
    ['//server/share/alice/a.ts', '//~/a.ts'],
    // WSL and other mounts of drives
    ['/mnt/c/Users/alice/a', '~/a'],
    ['/mnt/c/Users\\alice\\a', '~/a'],
    ['/cygdrive/c/Users/alice/a', '~/a'],
    ['/c/Users/alice/a', '~/a'],
    ['\\\\wsl$\\Ubuntu\\home\\alice\\a', '~/a'],
    ['\\\\wsl.localhost\\Ubuntu\\etc\\passwd', '/etc/passwd'],
    ['/mnt/d/src/acme/a.ts', '/mnt/d/src/acme/a.ts'],
    // Home folders as shells write them
    ['~/acme/a.ts', '~/acme/a.ts'],
    ['~', '~'],
    ['~\\acme\\a.ts', '~/acme/a.ts'],
    ['~alice/a', '~/a'],
    ['~root/a', '~root/a'],
    ['~/../bob/a', '~/a'],
    ['~/../../etc/passwd', '/etc/passwd'],
    // URLs
    ['file:///home/alice/a%20b.ts', '~/a b.ts'],
    ['file://localhost/home/alice/a', '~/a'],
    ['FILE:/home/alice/a#L3', '~/a'],
    ['file:///C:/Users/alice/a', '~/a'],
    ['file://C:/Users/alice/a', '~/a'],
    ['file://server/share/alice/a', '//~/a'],
    ['file:///home/%61lice/%E9/a', '~/\ufffd/a'],
    ['%2Fhome%2Falice%2Fa', '~/a'],
    ['c%3A%5CUsers%5Calice%5Ca', '~/a'],
    ['vscode-remote://wsl+ubuntu/home/alice/a', '~/a'],
    ['https://alice@example.com/repo/a', 'https://example.com/repo/a'],
    // Relative paths
    ['src/../.env', '.env'],
    ['./src/a.ts/', 'src/a.ts'],
    ['src\\a.ts', 'src/a.ts'],
    ['users/list/a.tsx', 'users/list/a.tsx'],
    ['.', '.'],
    ['../../../home/alice/a', '~/a'],
    ['../lib/a.ts', '../lib/a.ts'],
    ['./~cache/a', './~cache/a'],
    ['', ''],
  ])('%j is %j', (stated, sealed) => {
    expect(sealPath(stated, NOWHERE)).toBe(sealed);
  });
});

describe('sealPath with the folders of a session', () => {
  it.each([
    ['/home/alice/acme-web/src/a.ts', '~/acme-web/src/a.ts'],
    ['/home/bob/.ssh/id_rsa', '~other/.ssh/id_rsa'],
    ['../../bob/.ssh/id_rsa', '~other/.ssh/id_rsa'],
    ['../../../etc/passwd', '/etc/passwd'],
    ['README.md', 'README.md'],
    ['/root/.ssh/id_rsa', '~root/.ssh/id_rsa'],
    ['/mnt/c/Users/ALICE/a', '~/a'],
    ['~bob/a', '~other/a'],
    ['/backup/alice/a', '/backup/~/a'],
    ['/tmp/-backup-alice-acme/a', '/tmp/-~/a'],
    ['/etc/passwd', '/etc/passwd'],
  ])('in a home folder: %j is %j', (stated, sealed) => {
    expect(sealPath(stated, LAPTOP)).toBe(sealed);
  });

  // Rules look for these names, so nobody may take them out of a path by naming an account or a folder so.
  it.each([
    ['/home/workflows/acme/.github/workflows/ci.yml', '~/acme/.github/workflows/ci.yml'],
    ['/home/hooks/acme/.claude/hooks/a.sh', '~/acme/.claude/hooks/a.sh'],
    ['/home/settings.json/.claude/settings.json', '/home/settings.json/.claude/settings.json'],
    ['/home/managed-settings.json', '/home/managed-settings.json'],
    ['//.claude/settings.json', '/.claude/settings.json'],
    ['//repo/managed-settings.json', '//~/managed-settings.json'],
    ['/home/x/.claude/.claude/settings.json', '~/.claude/.claude/settings.json'],
    ['/home/.claude/settings.json', '/home/.claude/settings.json'],
    ['/home/alice/.env/.env', '~/.env/.env'],
    ['/media/.github/workflows/ci.yml', '/media/.github/workflows/ci.yml'],
    ['\\\\server\\repo\\.claude\\settings.json', '//~/.claude/settings.json'],
    ['\\\\server\\repo\\.github\\workflows\\ci.yml', '//~/.github/workflows/ci.yml'],
    ['//server/home/.claude/settings.json', '//~/.claude/settings.json'],
  ])('keeps the name of a folder or file that steers agents: %j is %j', (stated, sealed) => {
    expect(sealPath(stated, readPlaces({}))).toBe(sealed);
    expect(sealPath(sealed, readPlaces({}))).toBe(sealed);
  });

  const project = (working: string, name: string) =>
    readPlaces({ working, transcript: `/root/.claude/projects/${name}/1.jsonl` });

  it.each([
    ['is relative to the project', '/projects/acme', '/projects/acme/src/a.ts', 'src/a.ts'],
    [
      'stays so after a change of the working folder',
      '/projects/acme/src',
      '/projects/acme/src/a.ts',
      'src/a.ts',
    ],
    ['stays so outside of the project', '/tmp', '/projects/acme/src/a.ts', 'src/a.ts'],
    [
      'keeps folders that steer agents',
      '/projects/acme/.claude',
      '/projects/acme/.claude/hooks/a.sh',
      '.claude/hooks/a.sh',
    ],
    ['is absolute outside of both', '/projects/acme', '/projects/other/a.ts', '/projects/other/a.ts'],
    [
      'is not taken for a neighbour of the same beginning',
      '/projects/acme',
      '/projects/acme-2/a',
      '/projects/acme-2/a',
    ],
    ['is relative to a working folder beside the project', '/projects/other', '/projects/other/a.ts', 'a.ts'],
    ['is absolute in a folder of the system', '/etc', '/etc/passwd', '/etc/passwd'],
    ['is absolute where work is done in the root', '/', '/srv/a', '/srv/a'],
    ['says that it is the project itself', '/projects/acme', '/projects/acme/', '.'],
    ['does not begin like a home folder', '/projects/acme', '/projects/acme/~bob/a', './~bob/a'],
  ])('a repository outside of home folders %s', (_, working, stated, sealed) => {
    expect(sealPath(stated, project(working, '-projects-acme'))).toBe(sealed);
  });

  it('a session that begins in a settings folder does not hide the folder', () => {
    const places = project('/projects/acme/.claude', '-projects-acme--claude');
    expect(sealPath('/projects/acme/.claude/settings.json', places)).toBe('.claude/settings.json');
  });

  it('a relative path in a settings folder is read from where the folder lies', () => {
    const inSettings = readPlaces({ working: '/projects/acme/.claude' });
    expect(sealPath('settings.json', inSettings)).toBe('.claude/settings.json');
    expect(sealPath('.claude/settings.json', inSettings)).toBe('.claude/settings.json');
    const inWorkflows = readPlaces({ working: 'C:\\Users\\alice\\acme\\.github\\workflows' });
    expect(sealPath('ci.yml', inWorkflows)).toBe('~/acme/.github/workflows/ci.yml');
    expect(sealPath('src/a.ts', readPlaces({ working: '/projects/acme' }))).toBe('src/a.ts');
  });

  it('a transcript states the working folder alone', () => {
    const places = readPlaces({ working: 'D:\\Src\\acme' });
    expect(sealPath('d:/src/acme/a.ts', places)).toBe('a.ts');
    expect(sealPath('D:\\src\\other\\a.ts', places)).toBe('D:/src/other/a.ts');
    expect(sealPath('\\\\srv\\git\\acme\\a', readPlaces({ working: '//srv/git/acme' }))).toBe('a');
  });

  it('the settings folder of the client shows a home folder that no layout shows', () => {
    const transcript = '/data/people/alice/.claude/projects/-projects-acme/1.jsonl';
    const places = readPlaces({ working: '/projects/acme', transcript });
    expect(sealPath('/data/people/alice/notes/a', places)).toBe('~/notes/a');
    expect(sealPath('/backup/alice/a', places)).toBe('/backup/~/a');
    expect(sealPath('/home/bob/a', places)).toBe('~other/a');
  });

  it('an account that machines share names nobody, so its name stays in paths', () => {
    const places = readPlaces({ working: '/home/node/app' });
    expect(sealPath('/home/node/app/node/a.ts', places)).toBe('~/app/node/a.ts');
  });
});

const segment = fc.oneof(
  fc.constantFrom(
    'home',
    'Users',
    'users',
    'root',
    'alice',
    'Alice',
    'bob',
    '..',
    '.',
    '',
    'src',
    '.claude',
    '~',
  ),
  fc.constantFrom(
    'C:',
    'mnt',
    'c',
    'server',
    'share',
    '~alice',
    '-home-alice-x',
    'wsl$',
    'private',
    'var',
    'proc',
  ),
  fc.constantFrom('file:', '%2Fhome', '%61lice', '?', 'https:', 'a@b', 'tmp', 'etc', 'work', 'acme', 'media'),
  fc.string({ maxLength: 6 }),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);
const path = fc
  .tuple(
    fc.constantFrom('', '/', '//', '\\\\', '\\\\?\\', 'C:\\', 'file://', '~', './'),
    fc.array(segment, { maxLength: 9 }),
    fc.constantFrom('/', '\\'),
  )
  .map(([start, segments, slash]) => start + segments.join(slash));
const places = fc
  .record({ working: fc.option(path, { nil: undefined }), transcript: fc.option(path, { nil: undefined }) })
  .map(readPlaces);

describe('sealPath on any text', () => {
  it('changes nothing in a sealed path', () => {
    fc.assert(
      fc.property(path, fc.oneof(places, fc.constantFrom(NOWHERE, LAPTOP)), (stated, known) => {
        const sealed = sealPath(stated, known);
        expect(sealPath(sealed, known)).toBe(sealed);
      }),
      { numRuns: 4_000 },
    );
  });

  // A rule that looks for these files reads the sealed path. One that it misses would be a control met that is not.
  it('hides no file that steers agents or pipelines, whatever folder it lies in', () => {
    const steering = fc.constantFrom(
      '.claude/settings.json',
      '.claude/settings.local.json',
      '.claude/hooks/a.sh',
      '.mcp.json',
      '.github/workflows/ci.yml',
      '.gitlab-ci.yml',
      'managed-settings.json',
    );
    const account = fc.constantFrom('workflows', 'hooks', 'settings.json', '.claude', '.github', 'alice');
    const folder = fc.oneof(
      path.filter((text) => !/[?#]|^https:/.test(text)),
      account.map((name) => `/home/${name}/src/${name}`),
    );
    fc.assert(
      fc.property(folder, steering, places, (before, file, known) => {
        const sealed = sealPath(`${before}/${file}`, known);
        expect(sealed.endsWith(`/${file}`) || sealed === file, sealed).toBe(true);
      }),
      { numRuns: 4_000 },
    );
  });

  it('leaves no folder that is named after the owner of a stated home folder', () => {
    fc.assert(
      fc.property(path, (stated) => {
        const sealed = sealPath(stated, LAPTOP);
        const folders = sealed.toLowerCase().split('/');
        expect(folders).not.toContain('alice');
        expect(folders.some((folder) => folder.startsWith('-') && folder.includes('-alice-'))).toBe(false);
      }),
      { numRuns: 4_000 },
    );
  });

  it.each([
    ['slashes', (n: number) => '/'.repeat(n)],
    ['folders', (n: number) => '/a'.repeat(n)],
    ['steps up', (n: number) => '/a'.repeat(n) + '/..'.repeat(n)],
    ['relative steps up', (n: number) => '../'.repeat(n)],
    ['escapes', (n: number) => `file:///${'%61'.repeat(n)}`],
    ['broken escapes', (n: number) => `file:///${'%6'.repeat(n)}`],
    ['aliases', (n: number) => '/proc/1/root'.repeat(n)],
    ['dashes', (n: number) => `/-${'home'.repeat(n)}-`],
    ['dashes in capitals', (n: number) => `/${'-HOME'.repeat(n)}`],
    ['backslashes', (n: number) => '\\'.repeat(n)],
    ['one name', (n: number) => `/home/${'x'.repeat(n)}`],
    ['scheme letters', (n: number) => 'a'.repeat(n)],
  ])('takes time in proportion to the text: %s', (_, make) => {
    const known = readPlaces({ working: make(2_000), transcript: make(2_000) });
    const startedMs = performance.now();
    for (const places of [LAPTOP, known]) sealPath(make(400_000), places);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

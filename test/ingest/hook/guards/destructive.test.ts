import { describe, expect, it } from 'vitest';
import { findDestruction, PROTECTED_BRANCHES } from '../../../../ingest/hook/guards/destructive.ts';
import { programsOf } from '../../../../ingest/hook/guards/program.ts';

const find = (command: string, shell: 'posix' | 'powershell' = 'posix', branches = PROTECTED_BRANCHES) =>
  findDestruction(programsOf(command, shell), branches);

describe('the guard of destruction', () => {
  it.each([
    ['rm -rf /', 'remove_root'],
    ['sudo rm -fr /*', 'remove_root'],
    ['rm -r -f ~', 'remove_root'],
    ['rm -rf "$HOME"', 'remove_root'],
    ['rm -rf ${HOME}/*', 'remove_root'],
    ['rm --recursive --force /usr/', 'remove_root'],
    ['cd /tmp && rm -Rf /etc', 'remove_root'],
    ['rm -rf --no-preserve-root build', 'remove_root'],
    ['find / -name x -delete', 'remove_root'],
    ['chmod -R 777 /', 'remove_root'],
    [`bash -c 'rm -rf /'`, 'remove_root'],
    ['echo $(rm -rf ~/)', 'remove_root'],
    ['git push --force origin main', 'force_push'],
    ['git push -fu origin HEAD:master', 'force_push'],
    ['git push origin +release/2026', 'force_push'],
    ['git -C app push --force-with-lease=main origin refs/heads/main', 'force_push'],
    ['git push --mirror --force origin', 'force_push'],
    ['git push origin --delete main', 'delete_branch'],
    ['git push origin :production', 'delete_branch'],
    ['psql -c "DROP TABLE users"', 'drop_table'],
    ['mysql -e "drop   database app"', 'drop_table'],
    ['echo "truncate table users" | sqlite3 app.db', 'drop_table'],
    ['psql <<SQL\nDROP SCHEMA public CASCADE;\nSQL', 'drop_table'],
    ['mkfs.ext4 /dev/sda1', 'make_filesystem'],
    ['sudo mkfs -t xfs /dev/nvme0n1', 'make_filesystem'],
    ['wipefs -a /dev/sdb', 'make_filesystem'],
    ['dd if=image.iso of=/dev/sdb bs=4M', 'overwrite_device'],
    ['cat image > /dev/sda', 'overwrite_device'],
  ])('is met by %s', (command, rule) => {
    expect(find(command)).toContain(rule);
  });

  it.each([
    ['Remove-Item -Recurse -Force C:\\', 'remove_root'],
    ['Format-Volume -DriveLetter D', 'make_filesystem'],
  ])('is met in PowerShell by %s', (command, rule) => {
    expect(find(command, 'powershell')).toContain(rule);
  });

  it.each([
    'rm -rf ./build',
    'rm -rf node_modules dist',
    'rm -rf /tmp/work',
    'rm -rf /home/alice/app/build',
    'rm -rf ~/app/build',
    'rm /etc/app.conf',
    'rm file',
    'echo "rm -rf /"',
    'git commit -m "never rm -rf /"',
    'find . -name "*.tmp" -delete',
    'chmod -R 755 ./bin',
    'git push origin main',
    'git push --force origin feature/main-menu',
    'git push -f origin alice/fix',
    'git push origin main:feature --force',
    'git push --force',
    'git push origin --delete feature',
    'git stash push -f main',
    'grep -rn "DROP TABLE" migrations/',
    'psql -c "select * from drop_table_log"',
    'psql -c "select 1"',
    'mkfs.ext4 disk.img',
    'man mkfs',
    'dd if=/dev/zero of=disk.img bs=1M count=10',
    'dd if=/dev/sda of=/dev/null',
    'make > /dev/null 2>/dev/stderr',
  ])('is not met by %s', (command) => {
    expect(find(command)).toEqual([]);
  });

  it('protects the branches that it is told to', () => {
    const branches = ['live', 'team-*'];
    expect(find('git push -f origin live team-a', 'posix', branches)).toEqual(['force_push']);
    expect(find('git push -f origin main', 'posix', branches)).toEqual([]);
  });
});

import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Check } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILURES } from '../../../schemas/verification-failures.ts';
import { VerificationReport } from '../../../schemas/verification.ts';
import { verifyPath } from '../../../store/verify/verify-path.ts';
import {
  buildReport,
  createFindings,
  NOTHING_ESTABLISHED,
  renderReport,
} from '../../../store/verify/report.ts';
import { whileGone, writeTestArchive, type TestArchive } from '../../support/archive-folder.ts';
import { buildTestPackage, type TestPackage } from '../../support/package-builder.ts';

describe('the verdict', () => {
  it('names the first broken index first, and failures without one last', () => {
    const findings = createFindings();
    findings.fail('lock_missing', null, 'a');
    findings.fail('root_mismatch', 9, 'b');
    findings.fail('key_not_pinned', null, 'c');
    findings.fail('payload_mismatch', 2, 'd');
    expect(findings.failures().map(({ detail }) => detail)).toEqual(['d', 'b', 'a', 'c']);
  });

  it('keeps the axes apart', () => {
    const axes = (code: keyof typeof FAILURES) => {
      const findings = createFindings();
      findings.fail(code, null, '');
      const { ok, integrity, anchoring } = buildReport(findings, {
        ...NOTHING_ESTABLISHED,
        signed_tree_size: 1,
      });
      return { ok, integrity, anchoring };
    };
    expect(axes('root_mismatch')).toEqual({ ok: false, integrity: 'broken', anchoring: 'signed' });
    expect(axes('key_not_pinned')).toEqual({ ok: false, integrity: 'intact', anchoring: 'broken' });
  });

  it('does not grow with the number of failures', () => {
    const findings = createFindings();
    for (let index = 0; index < 5000; index += 1) findings.fail('file_unexpected', null, String(index));
    const report = buildReport(findings, NOTHING_ESTABLISHED);
    expect(report.failures).toHaveLength(1000);
    expect(renderReport(report).split('\n').length).toBeLessThan(80);
  });

  it('says in its first line that a log is synthetic', () => {
    const synthetic = { ...NOTHING_ESTABLISHED, synthetic: true };
    const [good] = renderReport(buildReport(createFindings(), synthetic)).split('\n');
    expect(good).toBe('VERIFIED (SYNTHETIC: made for tests or shows, evidence of nothing)');
    const broken = createFindings();
    broken.fail('lock_missing', null, 'a');
    expect(renderReport(buildReport(broken, synthetic))).toMatch(/^NOT VERIFIED \(SYNTHETIC: /);
    for (const mark of [false, null])
      expect(
        renderReport(buildReport(createFindings(), { ...NOTHING_ESTABLISHED, synthetic: mark })),
      ).toMatch(/^VERIFIED\n/);
  });

  it('says in text what is broken, where, and what to do', () => {
    const findings = createFindings();
    findings.fail(
      'payload_mismatch',
      41,
      'log/p0/payload/00000000000/000/000/00000000000000000040-0011223344556677',
    );
    const text = renderReport(buildReport(findings, NOTHING_ESTABLISHED));
    expect(text.startsWith('NOT VERIFIED\n')).toBe(true);
    expect(text).toContain('payload_mismatch at index 41: log/p0/payload/0000');
    expect(text).toContain(FAILURES.payload_mismatch.action);
  });

  it('knows exactly the codes that docs/formats/verification.md explains', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/formats/verification.md'), 'utf8');
    const rows = [...page.matchAll(/^\| *`([a-z_]+)` *\| *(\w+) *\| *(.*?) *\| *(.*?) *\|$/gm)];
    const documented = rows.map(([, ...cells]) => cells);
    const known = Object.entries(FAILURES).map(([code, { axis, meaning, action }]) => [
      code,
      axis,
      meaning,
      action,
    ]);
    expect(documented).toEqual(known);
  });
});

describe('verifying a path', () => {
  let archive: TestArchive;
  let evidence: TestPackage;

  beforeAll(async () => {
    archive = await writeTestArchive([2]);
    evidence = await buildTestPackage();
  });

  afterAll(async () => {
    await archive.dispose();
    await evidence.dispose();
  });

  it('takes a file for a package and a folder for an archive', async () => {
    expect(await verifyPath(evidence.path)).toMatchObject({ ok: true, kind: 'package', tree_size: 7 });
    expect(await verifyPath(archive.dir)).toMatchObject({ ok: true, kind: 'archive', tree_size: 2 });
  });

  it('gives reports that fit their schema, good or bad', async () => {
    for (const path of [evidence.path, archive.dir, join(evidence.dir, 'README.txt'), evidence.dir]) {
      expect(Check(VerificationReport, JSON.parse(JSON.stringify(await verifyPath(path))))).toBe(true);
    }
    const broken = await whileGone(join(archive.dir, 'log/p0/genesis'), () => verifyPath(archive.dir));
    expect(Check(VerificationReport, broken)).toBe(true);
    expect(broken.ok).toBe(false);
  });

  it('says of an unpacked package that the ZIP is wanted', async () => {
    const report = await verifyPath(evidence.dir);
    expect(report.failures).toMatchObject([
      { code: 'nothing_to_verify', detail: expect.stringContaining('ZIP') as string },
    ]);
  });

  it('finds the archive inside a data folder', async () => {
    const inner = await writeTestArchive([1]);
    await mkdir(join(inner.dir, 'archive'));
    await rename(join(inner.dir, 'log'), join(inner.dir, 'archive', 'log'));
    expect(await verifyPath(inner.dir)).toMatchObject({ ok: true, tree_size: 1 });
    await inner.dispose();
  });

  it('throws NOT_FOUND where nothing is, since that is no verdict', async () => {
    await expect(verifyPath(join(archive.dir, 'nothing'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

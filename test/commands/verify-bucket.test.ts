import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../commands/verify.ts';

describe('the path of affidavit verify --s3', () => {
  it.each([
    ['evidence', { bucket: 'evidence' }],
    ['archive/2026/', { prefix: 'archive/2026/' }],
    ['s3://evidence', { bucket: 'evidence', prefix: '' }],
    ['s3://evidence/', { bucket: 'evidence', prefix: '' }],
    ['s3://evidence/archive', { bucket: 'evidence', prefix: 'archive/' }],
    ['s3://evidence/archive/', { bucket: 'evidence', prefix: 'archive/' }],
  ])('takes %s for %j', (path, target) => {
    expect(parseTarget(path)).toEqual(target);
  });

  it('refuses what could be a prefix or a file', () => {
    expect(() => parseTarget('data/archive')).toThrow('USAGE_INVALID');
  });
});

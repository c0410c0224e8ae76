import { describe, expect, it } from 'vitest';
import { findPersonalData } from '../../../../ingest/hook/guards/personal-data.ts';

const people = (count: number, domain = 'clinic.org') =>
  Array.from({ length: count }, (_, index) => `person${index}@${domain}`).join(', ');

describe('the guard of personal data', () => {
  it.each([
    ['the patient’s SSN is 536-90-4399', 'ssn'],
    ['536-90-4399', 'ssn'],
    ['ssn:536904399', 'ssn'],
    ['Social Security Number 536 90 4399', 'ssn'],
    ['row;536-90-4399;x', 'ssn'],
    ['card 4111 1111 1111 1111', 'payment_card'],
    ['5500-0000-0000-0004', 'payment_card'],
    ['{"pan":"378282246310005"}', 'payment_card'],
    ['6011111111111117', 'payment_card'],
    ['2223003122003222', 'payment_card'],
    ['MRN: 00482913', 'medical_record_number'],
    ['mrn=AB1234567', 'medical_record_number'],
    ['Medical Record Number 99887766', 'medical_record_number'],
    ['medical record no. #1234567', 'medical_record_number'],
    [people(5), 'email_list'],
    [`to: ${people(3)}\ncc: ${people(5, 'ward.nhs.uk')}`, 'email_list'],
  ])('is met by %s', (text, rule) => {
    expect(findPersonalData(text)).toEqual([rule]);
  });

  it.each([
    '000-12-3456',
    '666-12-3456',
    '900-12-3456',
    '536-00-4399',
    '536-90-0000',
    '1536-90-4399',
    '536-90-43991',
    '2026-01-2026',
    'the field ssn is not filled in',
    'order 536904399',
    'card 4111 1111 1111 1112',
    '0000 0000 0000 0000',
    '1700000000000',
    '41111111111111111111',
    'id-4111111111111111',
    'sha 4111111111111111af',
    '4f5a1111-1111-4111-8111-111111111111',
    '0.4111111111111111',
    'MRN: pending',
    'the mrn of a patient has 8 digits',
    'MRN 1234',
    people(4),
    Array.from({ length: 9 }, () => 'one@clinic.org').join(' '),
    people(9, 'example.com'),
    people(9, 'mail.test'),
    '@a @b @c @d @e @f',
    'npm i @types/a@1.0 @types/b@2.0 @types/c@3.0 @types/d@4.0 @types/e@5.0',
  ])('is not met by %s', (text) => {
    expect(findPersonalData(text)).toEqual([]);
  });

  it('takes time by the length of a hostile text alone', () => {
    const costOf = (text: string): number => {
      const before = process.cpuUsage();
      findPersonalData(text);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    for (const piece of [
      '1',
      '1-',
      '4 ',
      'a',
      '@',
      'a.',
      'a@a.',
      'mrn ',
      'ssn',
      '\t',
      '4111 1111 1111 111',
    ]) {
      const text = piece.repeat(400_000 / piece.length);
      costOf(text);
      const [half, whole] = [costOf(text.slice(0, text.length / 2)), costOf(text)];
      expect(whole, piece).toBeLessThan(8 * half + 400_000);
    }
  });
});

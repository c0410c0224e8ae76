import { describe, expect, it } from 'vitest';
import { findPersonal } from '../../../connectors/detect/personal.ts';
import { findSecrets, mayHoldSecret } from '../../../connectors/detect/secrets.ts';
import { DATA_CLASSES, SECRET_TYPES, type DataClass } from '../../../schemas/data-class.ts';
import { HARMLESS } from './harmless.ts';
import { PLANTED, type Planted } from './planted.ts';

interface Tally {
  planted: number;
  found: number;
  wrong: number;
}

const isSecret = (type: DataClass): boolean => (SECRET_TYPES as readonly DataClass[]).includes(type);
const findAll = (text: string) => [...findSecrets(text), ...findPersonal(text)];

/** Counts of planted strings that are found, and of all other findings, by type. */
function tally() {
  const byType = new Map(
    DATA_CLASSES.map((type): [DataClass, Tally] => [type, { planted: 0, found: 0, wrong: 0 }]),
  );
  const mistakes: string[] = [];
  const countWrong = (text: string, found: { type: DataClass; start: number; end: number }) => {
    byType.get(found.type)!.wrong += 1;
    mistakes.push(
      `${found.type} seen in ${JSON.stringify(text.slice(0, 90))} at ${found.start}-${found.end}`,
    );
  };
  for (const { type, text, places } of PLANTED) {
    const rest = findAll(text);
    for (const { start, end } of places) {
      const counts = byType.get(type)!;
      counts.planted += 1;
      const index = rest.findIndex((one) => one.type === type && one.start === start && one.end === end);
      if (index === -1) mistakes.push(`${type} not seen in ${JSON.stringify(text.slice(0, 90))}`);
      else {
        counts.found += 1;
        rest.splice(index, 1);
      }
    }
    // The text around a planted string may be about people as well: a name in the address of a mail.
    for (const one of rest) if (isSecret(one.type) === isSecret(type)) countWrong(text, one);
  }
  for (const text of HARMLESS) for (const one of findAll(text)) countWrong(text, one);
  return { byType, mistakes };
}

const share = (part: number, whole: number): number => (whole === 0 ? 1 : part / whole);

describe('the table of planted and harmless strings', () => {
  const { byType, mistakes } = tally();
  const all = [...byType.values()].reduce((sum, one) => ({
    planted: sum.planted + one.planted,
    found: sum.found + one.found,
    wrong: sum.wrong + one.wrong,
  }));

  it('holds enough of both, and of each type', () => {
    expect(PLANTED.length).toBeGreaterThanOrEqual(120);
    expect(HARMLESS.length).toBeGreaterThanOrEqual(120);
    expect([...byType].filter(([, { planted }]) => planted < 2)).toEqual([]);
  });

  it('is told apart with a recall of 0.98 and a precision of 0.95', () => {
    const lines = [...byType, ['all', all] as const].map(([type, { planted, found, wrong }]) =>
      [
        type.padEnd(24),
        `recall ${share(found, planted).toFixed(3)} (${found}/${planted})`,
        `precision ${share(found, found + wrong).toFixed(3)} (${wrong} wrong)`,
      ].join('  '),
    );
    process.stdout.write(`${lines.join('\n')}\n${mistakes.map((line) => `  ${line}\n`).join('')}`);
    expect(share(all.found, all.planted)).toBeGreaterThanOrEqual(0.98);
    expect(share(all.found, all.found + all.wrong)).toBeGreaterThanOrEqual(0.95);
  });

  const secrets = PLANTED.filter(({ type }) => isSecret(type));
  const wrappings: readonly [string, (planted: Planted) => Buffer][] = [
    ['plain bytes', ({ text }) => Buffer.from(text)],
    ['a JSON string', ({ text }) => Buffer.from(JSON.stringify({ a: text }))],
    [
      'JSON text in a JSON string',
      ({ text }) => Buffer.from(JSON.stringify({ a: JSON.stringify({ b: text }) })),
    ],
    ['a string with a line break before it', ({ text }) => Buffer.from(JSON.stringify([`a\n${text}\n`]))],
    ['a string with everything escaped', ({ text }) => Buffer.from(escapeAll(text))],
  ];

  it.each(wrappings)('lets no secret pass the look at raw bytes in %s', (_, wrap) => {
    expect(secrets.filter((planted) => !mayHoldSecret(wrap(planted))).map(({ text }) => text)).toEqual([]);
  });
});

function escapeAll(text: string): string {
  const escaped = Array.from({ length: text.length }, (_, at) =>
    text.charCodeAt(at).toString(16).padStart(4, '0'),
  );
  return `"${escaped.map((code) => `\\u${code}`).join('')}"`;
}

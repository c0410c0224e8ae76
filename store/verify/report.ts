/** Collects the findings of all checks and turns them into the verdict. */
import { SYNTHETIC_NOTICE, type LogGenesis } from '../../schemas/bundle.ts';
import { FAILURES, type FailureCode, type VerificationAxis } from '../../schemas/verification-failures.ts';
import type {
  VerificationFailure,
  VerificationNotice,
  VerificationReport,
} from '../../schemas/verification.ts';
import { trustedHead, type ContinuingLog } from '../chain/continuation.ts';
import type { FindKeys } from './framed-payloads.ts';

export interface VerifyOptions {
  /**
   * Verifier keys that were obtained apart from the evidence: the key of each log must be among them. Without them the
   * writer of the evidence chose the key.
   */
  readonly pinnedVkeys?: readonly string[] | undefined;
  /** Heads that were kept apart from the evidence. They must all be heads of the same log. */
  readonly keptCheckpoints?: readonly KeptCheckpoint[] | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Opens the frames of an archive. Without it their bytes are verified, and nothing is read of them. */
  readonly findKeys?: FindKeys | undefined;
  /** Compares the logs of an archive with those that they continue, which lie in another archive. */
  readonly checkPrevious?: CheckPrevious | undefined;
}

/** Reports what the archive of the generation before holds of the logs that these continue. */
export type CheckPrevious = (logs: readonly ContinuingLog[], findings: Findings) => Promise<void>;

export interface KeptCheckpoint {
  /** Where the note came from, for people. */
  readonly name: string;
  /** The signed note, byte for byte. */
  readonly note: string;
}

export interface Progress {
  readonly step: string;
  readonly done: number;
  /** Undefined while the number is unknown. */
  readonly total?: number | undefined;
}

/** Where checks report. `index` is the first leaf that the failure breaks, null where it breaks no leaf. */
export interface Findings {
  fail(code: FailureCode, index: number | null, detail: string): void;
  notice(code: VerificationNotice['code'], index: number | null, detail: string): void;
  /** Replaces a failure, as `failures` returned it, by a more exact one. */
  refine(failure: VerificationFailure, code: FailureCode, detail: string): void;
  failures(): VerificationFailure[];
  notices(): readonly VerificationNotice[];
}

/** The facts that the checks established besides failures. */
export interface Established {
  readonly kind: VerificationReport['kind'];
  readonly tree_size: number | null;
  readonly root_hash: string | null;
  /** Number of leaves under a good signature. */
  readonly signed_tree_size: number;
  readonly isPinned: boolean;
  readonly completeness: VerificationReport['completeness'];
  readonly disclosure: VerificationReport['disclosure'];
  /** Mark of the genesis; null where none reads. */
  readonly synthetic: boolean | null;
  readonly continues: VerificationReport['continues'];
  readonly head_log: VerificationReport['head_log'];
  /** Frames of an archive; null for anything else. */
  readonly frames: VerificationReport['frames'];
}

export const NOTHING_ESTABLISHED: Established = {
  kind: null,
  tree_size: null,
  root_hash: null,
  signed_tree_size: 0,
  isPinned: false,
  completeness: 'not_assessed',
  disclosure: 'none',
  synthetic: null,
  continues: [],
  head_log: null,
  frames: null,
};

/** A wholly foreign folder must not fill the memory with failures; the verdict needs only the first. */
const MAX_FINDINGS = 1000;

export function createFindings(): Findings {
  const failures: VerificationFailure[] = [];
  const notices: VerificationNotice[] = [];
  return {
    fail(code, index, detail) {
      if (failures.length < MAX_FINDINGS) failures.push({ code, index, detail });
    },
    notice(code, index, detail) {
      if (notices.length < MAX_FINDINGS) notices.push({ code, index, detail });
    },
    refine(failure, code, detail) {
      const position = failures.indexOf(failure);
      if (position >= 0) failures[position] = { ...failure, code, detail };
    },
    failures: () => failures.toSorted((left, right) => orderOf(left) - orderOf(right)),
    notices: () => notices,
  };
}

function orderOf({ index }: VerificationFailure): number {
  return index ?? Number.MAX_VALUE;
}

export function buildReport(findings: Findings, established: Established): VerificationReport {
  const failures = findings.failures();
  const isBroken = (axis: VerificationAxis) => failures.some(({ code }) => FAILURES[code].axis === axis);
  return {
    ok: failures.length === 0,
    kind: established.kind,
    integrity: isBroken('integrity') ? 'broken' : 'intact',
    anchoring: isBroken('anchoring') ? 'broken' : anchoringOf(established),
    completeness: established.completeness,
    disclosure: established.disclosure,
    synthetic: established.synthetic,
    continues: established.continues,
    frames: established.frames,
    tree_size: established.tree_size,
    root_hash: established.root_hash,
    signed_tree_size: established.signed_tree_size,
    head_log: established.head_log,
    failures,
    notices: [...findings.notices()],
  };
}

function anchoringOf({ signed_tree_size, isPinned }: Established): VerificationReport['anchoring'] {
  if (signed_tree_size === 0) return 'unsigned';
  return isPinned ? 'signed_by_pinned_key' : 'signed';
}

/** Checks the keys of the evidence against the pinned ones. True only where a key was pinned and it is one of these. */
export function checkPin(
  findings: Findings,
  vkeys: readonly string[],
  { pinnedVkeys }: VerifyOptions,
): boolean {
  if (pinnedVkeys === undefined) return false;
  const isPinned = pinnedVkeys.some((pinned) => vkeys.includes(pinned.trim()));
  if (!isPinned) findings.fail('key_not_pinned', null, `the evidence names the key ${vkeys.join(', then ')}`);
  return isPinned;
}

const ANCHORING_TEXT: Readonly<Record<VerificationReport['anchoring'], string>> = {
  signed: 'signed by the key that lies beside the evidence; pin a key to know whose it is',
  signed_by_pinned_key: 'signed by the key you pinned',
  unsigned: 'nobody signed this yet',
  broken: 'a signature is missing or wrong',
};

const COMPLETENESS_TEXT: Readonly<Record<VerificationReport['completeness'], string>> = {
  complete: 'the sources counted no gap in the period, by the statement inside',
  incomplete: 'the statement inside names gaps',
  not_assessed: 'not assessed; hashing proves what was sealed, not that all arrived',
};

function disclosureText({ disclosure, frames }: VerificationReport): string {
  if (frames === null) return DISCLOSURE_TEXT[disclosure];
  const { opened, sealed, destroyed } = frames;
  const counts = `${String(opened)} frames opened, ${String(sealed)} not opened, ${String(destroyed)} erased`;
  return `${DISCLOSURE_TEXT[disclosure]}: ${counts}`;
}

const DISCLOSURE_TEXT: Readonly<Record<VerificationReport['disclosure'], string>> = {
  facts_only: 'facts and persons were compared with their leaves; content is not part of a package',
  sealed: 'the encrypted frames are those that were signed; nothing in them was read',
  opened: 'every part was read and compared with its leaf',
  opened_except_erased:
    'every part was read and compared with its leaf, but for those whose key was destroyed',
  none: 'nothing was read',
};

/** Failures that are printed. One defect often causes several failures, and the first says where it is. */
const MAX_PRINTED = 5;

/** For people; ends in a newline. The first line is the verdict. Each failure is printed with its meaning and action. */
export function renderReport(report: VerificationReport): string {
  const lines = [
    `${report.ok ? 'VERIFIED' : 'NOT VERIFIED'}${report.synthetic === true ? ` (${SYNTHETIC_NOTICE})` : ''}`,
    `  integrity     ${report.integrity}`,
    `  anchoring     ${report.anchoring} (${ANCHORING_TEXT[report.anchoring]})`,
    `  completeness  ${report.completeness} (${COMPLETENESS_TEXT[report.completeness]})`,
    `  disclosure    ${report.disclosure} (${disclosureText(report)})`,
    `  tree size     ${report.tree_size === null ? 'unknown' : String(report.tree_size)}`,
    `  signed up to  ${String(report.signed_tree_size)}`,
    `  root hash     ${report.root_hash ?? 'unknown'}`,
    ...headLogLine(report.head_log),
    ...report.continues.map(continuesLine),
    ...report.failures.slice(0, MAX_PRINTED).flatMap(renderFailure),
    ...andMore(report.failures.length, 'failures'),
    ...report.notices.slice(0, MAX_PRINTED).map(({ code, detail }) => `note ${code}: ${detail}`),
    ...andMore(report.notices.length, 'notices'),
  ];
  return `${lines.join('\n')}\n`;
}

function headLogLine(headLog: VerificationReport['head_log']): string[] {
  if (headLog === null) return [];
  const { entry_count, taken_at } = headLog;
  return [`  head log      ${String(entry_count)} entries, the newest of ${taken_at ?? 'no known instant'}`];
}

/** The logs before, as the geneses that read name them. */
export function continuationsOf(
  geneses: readonly (LogGenesis | undefined)[],
): VerificationReport['continues'] {
  return geneses.flatMap((genesis) => {
    if (genesis?.continues === undefined) return [];
    const { generation, origin: previous_origin } = genesis.continues;
    const { tree_size = 0, root_hash = null } = trustedHead(genesis.continues) ?? {};
    const { origin } = genesis;
    return [
      { origin, generation, previous_origin, trusted_tree_size: tree_size, trusted_root_hash: root_hash },
    ];
  });
}

function continuesLine(one: VerificationReport['continues'][number]): string {
  const { origin, generation, previous_origin, trusted_tree_size, trusted_root_hash } = one;
  const head =
    trusted_root_hash === null
      ? 'of which nothing is trusted'
      : `trusted up to ${String(trusted_tree_size)} leaves, root ${trusted_root_hash}`;
  return `  continues     ${origin}, generation ${String(generation)}, continues ${previous_origin}, ${head}`;
}

function andMore(count: number, what: string): string[] {
  return count > MAX_PRINTED
    ? [`... and ${String(count - MAX_PRINTED)} more ${what}; --json lists them`]
    : [];
}

function renderFailure({ code, index, detail }: VerificationFailure): string[] {
  const place = index === null ? '' : ` at index ${String(index)}`;
  return [
    `FAILED ${code}${place}: ${detail}`,
    `  means: ${FAILURES[code].meaning}`,
    `  do:    ${FAILURES[code].action}`,
  ];
}

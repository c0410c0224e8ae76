import { SYNTHETIC_NOTICE } from '../../schemas/bundle.ts';
import { describeContinuation } from '../../store/chain/continuation.ts';
import type { PackageHead, ReportInput } from './report-input.ts';

/** The log before, whose records are not in this package. Undefined where there is none. */
export function describeBefore({ continues }: Pick<PackageHead, 'continues'>): string | undefined {
  if (continues === undefined) return undefined;
  return `${describeContinuation(continues)}; its records are not in this package`;
}

/** A package is about one log. In a deployment with several logs the reader must know that others exist. */
export function describeLog(origin: string, logCount: number): string {
  if (logCount === 1) return origin;
  return `${origin}, one of ${String(logCount)} logs of the deployment; the records of the others are not in this package`;
}

/** The key of the checkpoint into key.der, where it is still the one of the genesis. */
const FIRST_KEY = `
    cut -d+ -f3- keys/log.vkey | base64 -d | tail -c 32 > key.raw
    (printf '0*0\\005\\006\\003+ep\\003!\\000'; cat key.raw) > key.der`;

const VERIFY =
  'openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -rawin -in signed.txt -sigfile signature.raw';

/** The same, where the key of the log changed before the checkpoint. */
const NEXT_KEYS = ` The log has
    changed its key: each line of keys/rotations.jsonl names the next key, and the key before it signed the line.
    cut -d+ -f3- keys/log.vkey | base64 -d | tail -c 32 > key.raw
    while read -r line; do
    (printf '0*0\\005\\006\\003+ep\\003!\\000'; cat key.raw) > key.der
    (printf 'affidavit/bundle/v1\\n'; jq -cjS 'del(.signature)' <<< "$line") > signed.txt
    jq -r .signature <<< "$line" | base64 -d > signature.raw
    ${VERIFY}
    jq -r .next_vkey <<< "$line" | cut -d+ -f3- | base64 -d | tail -c 32 > key.raw
    done < keys/rotations.jsonl
    (printf '0*0\\005\\006\\003+ep\\003!\\000'; cat key.raw) > key.der`;

const FIRST_PACKAGE_KEY = `The genesis names the key of packages, which signed manifest.note:
    jq -r .package_key genesis`;
const LAST_PACKAGE_KEY = `The last change names the key of packages, which signed manifest.note:
    tail -n 1 keys/rotations.jsonl | jq -r .next_package_key`;

const howToCheck = (hasChanges: boolean) => `HOW TO CHECK IT

With the log's own tool, offline:

    affidavit verify package.zip --key '<key from the operator>'

With independent tools, after unpacking:

 1. Files are what the manifest names:
    jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum --check --strict
 2. The manifest is what was signed: the third line of manifest.note is
    sha256sum manifest.json
 3. The checkpoint is signed by the key of the log (C2SP signed note, Ed25519):${hasChanges ? NEXT_KEYS : FIRST_KEY}
    sed '/^$/q' checkpoint | sed '$d' > signed.txt
    tail -n 1 checkpoint | awk '{ print $NF }' | base64 -d | tail -c 64 > signature.raw
    ${VERIFY}
    ${hasChanges ? `The key in keys/log.vkey signed the genesis:${FIRST_KEY}` : 'So is the genesis:'}
    (printf 'affidavit/genesis/v1\\n'; jq -cjS 'del(.signature)' genesis) > signed.txt
    jq -r .signature genesis | base64 -d > signature.raw
    ${VERIFY}
    ${hasChanges ? LAST_PACKAGE_KEY : FIRST_PACKAGE_KEY} | cut -d+ -f3- | base64 -d | tail -c 32 > key.raw
    (printf '0*0\\005\\006\\003+ep\\003!\\000'; cat key.raw) > key.der
    sed '/^$/q' manifest.note | sed '$d' > signed.txt
    tail -n 1 manifest.note | awk '{ print $NF }' | base64 -d | tail -c 64 > signature.raw
    ${VERIFY}
 4. A record is in the log: each file in proofs/ is a C2SP tlog-proof over
    SHA-256(00 || leaf), where leaf is the text of the member "leaf" in records.jsonl.
 5. Facts belong to their leaf: the digest of "facts" in the leaf's "parts" is SHA-256, base64url without padding, over
    the canonical JSON (RFC 8785) of {"index", "name": "facts", "part": <facts>, "salt": <facts_salt>}. The person of a
    record belongs to it in the same way, with the name "person" and person_salt.
 6. The sample: rank records by SHA-256(root hash || leaf hash) and take the 25 smallest.

Compare keys/log.vkey with a copy that you got from the operator through another channel. A key that came only with
the package proves only that the package agrees with itself.
`;

const ONE_KEY = 'keys/log.vkey       the key that signed checkpoint and genesis';
const SEVERAL_KEYS = `keys/log.vkey       the key that signed the genesis
keys/rotations.jsonl  the changes of that key, and of the key of packages, up to the checkpoint`;

/** README.txt of a package: its files, and how to check them with tools that everybody has. */
export function readmeText(head: PackageHead & Pick<ReportInput, 'key_changes'>): string {
  const { package_id, created_at, requested_by, period, origin, log_count, tree_size, root_hash } = head;
  const before = describeBefore(head);
  const mark = head.synthetic ? `\n${SYNTHETIC_NOTICE}.\nEvery state in it is of a SYNTHETIC log.\n` : '';
  return `AFFIDAVIT EVIDENCE PACKAGE
${mark}
Package     ${package_id}
Created     ${created_at}, requested by ${requested_by}
Period      ${period.from} up to, but not including, ${period.to} (clock: received_at, UTC)
Log         ${describeLog(origin, log_count)}
${before === undefined ? '' : `Before it   ${before}\n`}Checkpoint  ${tree_size} records, root ${root_hash}

START HERE

report.pdf is for reading. results.json is the evidence that it renders; where they differ, results.json prevails.
A control is in one of four states: met, exception, not tested, not applicable. "Not tested" means that the
population is not known to be complete, or that what the control needs was not collected.

FILES

manifest.json       every other file but manifest.note, with size and SHA-256
manifest.note       signed note over the digest of manifest.json
checkpoint          signed size and root hash of the log; everything here refers to it
${head.key_changes === '' ? ONE_KEY : SEVERAL_KEYS}
genesis             the first object of the log: its key, the key of packages, promises, and whether it is synthetic
results.json        results of every control: populations, queries, exceptions, completeness
report.pdf          the same for people
populations/        one CSV per population; record_ids are ids in records.jsonl
records.jsonl       the records: the leaf as it was hashed, facts and person, and the salts that their digests cover
proofs.jsonl        inclusion proof of each record, same order
proofs/             stand-alone proofs of every exception record and of a sample of up to 25 records

CSV files are RFC 4180 in UTF-8 with CRLF. A cell whose text begins with = + - @ an apostrophe, a tab or a carriage
return has one apostrophe put in front, so that no spreadsheet runs it; remove one to get the original. Lists are
separated by spaces.

${howToCheck(head.key_changes !== '')}
WHAT IS IN IT

records.jsonl holds facts and persons: who, what, when, decision and outcome, among them user names and file paths. It
holds no prompts, no answers, no tool input and no output; the leaves commit to these without disclosing them.
`;
}

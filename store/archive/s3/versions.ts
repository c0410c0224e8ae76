/**
 * All versions of all keys. In: a bucket and a prefix. Out: each key with its versions and delete markers, oldest
 * first. A store under object lock hides nothing: overwritten and deleted versions are still listed here.
 */
import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { PipelineError } from '../../../schemas/errors.ts';
import { describeError, outcomeOf, type S3Bucket } from './client.ts';
import { withRetries, type Retrying } from './retry.ts';

export interface ObjectVersion {
  readonly versionId: string;
  readonly sizeBytes: number;
  /** When it was written by the store's clock, Unix milliseconds; AWS gives whole seconds. */
  readonly lastModifiedMs: number;
}

/** `versions` and `deleteMarkers` in the order of writing, also where their times differ from it. */
export interface KeyVersions {
  readonly key: string;
  readonly versions: readonly ObjectVersion[];
  readonly deleteMarkers: readonly ObjectVersion[];
}

interface ListedVersion {
  readonly isMarker: boolean;
  readonly version: ObjectVersion;
}

/** Keys of the bucket below a prefix. */
interface KeyRange {
  readonly prefix: string;
  /** Only keys behind this one, which need not exist. */
  readonly after?: string | undefined;
  readonly pageSize?: number;
  /** Keys that contain it behind the prefix are folded into one common prefix. */
  readonly delimiter?: string;
}

/** A listing with a key as prefix begins with the versions of that key, so a page this small nearly always holds them all. */
const PAGE_OF_ONE_KEY = 32;

/**
 * Each key of the range with all its versions, in ascending byte order of keys. One request per thousand versions.
 * A failed page is asked for again; ARCHIVE_UNAVAILABLE when the attempts are used up.
 */
export async function* listKeyVersions(
  bucket: S3Bucket,
  retrying: Retrying,
  range: KeyRange,
): AsyncGenerator<KeyVersions> {
  let open: readonly [string, readonly ListedVersion[]] | undefined;
  for await (const page of pages(bucket, retrying, range)) {
    const groups = groupByKey(page, open);
    open = groups.pop();
    for (const group of groups) yield toKeyVersions(group);
  }
  if (open !== undefined) yield toKeyVersions(open);
}

/** All versions of exactly this key; undefined if the store never had one. */
export async function versionsOf(
  bucket: S3Bucket,
  retrying: Retrying,
  key: string,
): Promise<KeyVersions | undefined> {
  for await (const found of listKeyVersions(bucket, retrying, { prefix: key, pageSize: PAGE_OF_ONE_KEY })) {
    return found.key === key ? found : undefined;
  }
  return undefined;
}

/** Rejects with ARCHIVE_UNAVAILABLE and the store's answer where the bucket does not exist or may not be listed. */
export async function requireBucket({ client, bucket }: S3Bucket, prefix: string): Promise<void> {
  try {
    await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 }));
  } catch (error) {
    if (outcomeOf(error) === undefined) throw error;
    const detail = `the bucket ${bucket} cannot be listed: ${describeError(error)}`;
    throw new PipelineError('ARCHIVE_UNAVAILABLE', detail, { cause: error });
  }
}

/** Names of the folders directly below a prefix that is empty or ends in a slash, ascending. */
export async function foldersBelow(bucket: S3Bucket, retrying: Retrying, prefix: string): Promise<string[]> {
  const names = new Set<string>();
  for await (const page of pages(bucket, retrying, { prefix, delimiter: '/' })) {
    for (const { Prefix = '' } of page.CommonPrefixes ?? []) {
      const name = decodeKey(page, Prefix).slice(prefix.length, -1);
      if (name !== '') names.add(name);
    }
  }
  return [...names].sort();
}

/** Where the next page begins. */
interface PageStart {
  readonly KeyMarker?: string | undefined;
  readonly VersionIdMarker?: string | undefined;
}

async function* pages(
  { client, bucket }: S3Bucket,
  retrying: Retrying,
  { prefix, after, pageSize, delimiter }: KeyRange,
): AsyncGenerator<ListObjectVersionsCommandOutput> {
  const isInside = after?.startsWith(prefix) === true;
  // A store may refuse a marker outside of the prefix: either all of the prefix lies behind it, or nothing.
  if (after !== undefined && !isInside && after > prefix) return;
  let from: PageStart | undefined = isInside ? { KeyMarker: after } : {};
  while (from !== undefined) {
    // Keys come URL-encoded, because a foreign key may hold characters that XML cannot.
    const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: prefix,
      EncodingType: 'url',
      MaxKeys: pageSize,
      Delimiter: delimiter,
      ...from,
    });
    const page = await withRetries(retrying, `listing ${prefix}`, () => client.send(command));
    yield page;
    from = nextPage(page, from, prefix);
  }
}

function nextPage(
  page: ListObjectVersionsCommandOutput,
  { KeyMarker, VersionIdMarker }: PageStart,
  prefix: string,
): PageStart | undefined {
  if (page.IsTruncated !== true) return undefined;
  const next = {
    KeyMarker: decodeKey(page, page.NextKeyMarker ?? ''),
    VersionIdMarker: page.NextVersionIdMarker,
  };
  if (next.KeyMarker === KeyMarker && next.VersionIdMarker === VersionIdMarker) {
    throw new PipelineError('ARCHIVE_UNAVAILABLE', `listing ${prefix}: the store repeats a page`);
  }
  return next;
}

/** Entries of a page by key, ascending; the last key may go on in the next page. Newest entry first, as listed. */
function groupByKey(
  page: ListObjectVersionsCommandOutput,
  open: readonly [string, readonly ListedVersion[]] | undefined,
): (readonly [string, readonly ListedVersion[]])[] {
  const groups = new Map<string, ListedVersion[]>(open === undefined ? [] : [[open[0], [...open[1]]]]);
  const add = (isMarker: boolean, listed: ListingItem) => {
    const key = decodeKey(page, listed.Key ?? '');
    const group = groups.get(key) ?? [];
    group.push({ isMarker, version: toVersion(listed) });
    groups.set(key, group);
  };
  page.Versions?.forEach((listed) => add(false, listed));
  page.DeleteMarkers?.forEach((listed) => add(true, listed));
  return [...groups].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

interface ListingItem {
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly Size?: number | undefined;
  readonly LastModified?: Date | undefined;
}

function toVersion({ VersionId, Size, LastModified }: ListingItem): ObjectVersion {
  return {
    versionId: VersionId ?? 'null',
    sizeBytes: Size ?? 0,
    lastModifiedMs: LastModified?.getTime() ?? 0,
  };
}

function toKeyVersions([key, entries]: readonly [string, readonly ListedVersion[]]): KeyVersions {
  // The store lists the newest first; times may be equal, so the order of the list decides.
  const oldestFirst = entries.toReversed();
  const pick = (wanted: boolean) =>
    oldestFirst.filter(({ isMarker }) => isMarker === wanted).map(({ version }) => version);
  return { key, versions: pick(false), deleteMarkers: pick(true) };
}

function decodeKey({ EncodingType }: ListObjectVersionsCommandOutput, text: string): string {
  if (EncodingType !== 'url') return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // Not a key of an archive; it stays as it was listed, so that people recognise it.
    return text;
  }
}

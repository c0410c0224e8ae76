/**
 * All versions of all keys. In: a bucket and a prefix. Out: each key with its versions and delete markers, oldest
 * first. A store under object lock hides nothing: what was overwritten or deleted is still listed here.
 */
import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { PipelineError } from '../../schemas/errors.ts';
import type { S3Bucket } from './client.ts';
import { withRetries, type Retrying } from './retry.ts';

export interface ObjectVersion {
  readonly versionId: string;
  readonly sizeBytes: number;
  /** When the store says it was written, Unix milliseconds; AWS gives whole seconds. */
  readonly lastModifiedMs: number;
}

/** `versions` and `deleteMarkers` in the order in which they were written, whatever their times say. */
export interface KeyVersions {
  readonly key: string;
  readonly versions: readonly ObjectVersion[];
  readonly deleteMarkers: readonly ObjectVersion[];
}

interface Entry {
  readonly isMarker: boolean;
  readonly version: ObjectVersion;
}

/** Keys of the bucket below a prefix. */
export interface KeyRange {
  readonly prefix: string;
  /** Only keys behind this one, which need not be there. */
  readonly after?: string | undefined;
  readonly pageSize?: number;
}

/** Versions of one key come first in its own listing, so a page this small nearly always holds them all. */
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
  let open: readonly [string, readonly Entry[]] | undefined;
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

async function* pages(
  { client, bucket }: S3Bucket,
  retrying: Retrying,
  { prefix, after, pageSize }: KeyRange,
): AsyncGenerator<ListObjectVersionsCommandOutput> {
  let from: { KeyMarker?: string; VersionIdMarker?: string } =
    after === undefined ? {} : { KeyMarker: after };
  for (;;) {
    // Keys come URL-encoded, because a foreign key may hold what no XML can.
    const command = new ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: prefix,
      EncodingType: 'url',
      ...(pageSize === undefined ? {} : { MaxKeys: pageSize }),
      ...from,
    });
    const page = await withRetries(retrying, `listing ${prefix}`, () => client.send(command));
    yield page;
    if (page.IsTruncated !== true) return;
    const next = decodeKey(page, page.NextKeyMarker ?? '');
    if (next === from.KeyMarker && page.NextVersionIdMarker === from.VersionIdMarker) {
      throw new PipelineError('ARCHIVE_UNAVAILABLE', `listing ${prefix}: the store repeats a page`);
    }
    from = {
      KeyMarker: next,
      ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
    };
  }
}

/** Entries of a page by key, ascending; the last key may go on in the next page. Newest entry first, as listed. */
function groupByKey(
  page: ListObjectVersionsCommandOutput,
  open: readonly [string, readonly Entry[]] | undefined,
): (readonly [string, readonly Entry[]])[] {
  const groups = new Map<string, Entry[]>(open === undefined ? [] : [[open[0], [...open[1]]]]);
  const add = (isMarker: boolean, listed: Listed) => {
    const key = decodeKey(page, listed.Key ?? '');
    const group = groups.get(key) ?? [];
    group.push({ isMarker, version: toVersion(listed) });
    groups.set(key, group);
  };
  page.Versions?.forEach((listed) => add(false, listed));
  page.DeleteMarkers?.forEach((listed) => add(true, listed));
  return [...groups].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

interface Listed {
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly Size?: number | undefined;
  readonly LastModified?: Date | undefined;
}

function toVersion({ VersionId, Size, LastModified }: Listed): ObjectVersion {
  return {
    versionId: VersionId ?? 'null',
    sizeBytes: Size ?? 0,
    lastModifiedMs: LastModified?.getTime() ?? 0,
  };
}

function toKeyVersions([key, entries]: readonly [string, readonly Entry[]]): KeyVersions {
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
    // No key of an archive; it stays recognisable as it was listed.
    return text;
  }
}

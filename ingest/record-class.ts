/** The retention class of a record. It stands in the leaf, so it never changes. Pure. */
import type { DraftRecord } from '../connectors/drafts/source.ts';
import { valueAt } from '../connectors/drafts/nested.ts';
import { OWN_COLLECTOR } from '../schemas/native-event.ts';
import type { RecordClass } from '../schemas/retention.ts';

/** Tools that take or print text of files. */
const FILE_TOOLS: ReadonlySet<string> = new Set([
  'Read',
  'Write',
  'Edit',
  'MultiEdit',
  'NotebookEdit',
  'Grep',
]);

/** Acts of administration, and reports of collectors on themselves. */
const ADMIN_TYPE =
  /^(?:administration|access|protection|identity|collector|canary|archive|ingest|event_log|clock|partition|key)\./;

/** The member of a transcript line that repeats a tool's result, files included. */
const TOOL_RESULT = 'toolUseResult';

/**
 * `file` where the content can hold text of a file: it belongs to a call of a file tool, or nobody knows to which tool it
 * belongs. `admin` for administrative acts and this program's own records. `content` for every other record.
 */
export function recordClassOf({
  type,
  facts,
  content,
}: Pick<DraftRecord, 'type' | 'facts' | 'content'>): RecordClass {
  // Bytes that no source could read.
  if (type === 'quarantined') return 'file';
  if (ADMIN_TYPE.test(type) || facts.collector === OWN_COLLECTOR) return 'admin';
  const { tool_name, file_path } = facts;
  if (file_path !== undefined || FILE_TOOLS.has(tool_name ?? '')) return 'file';
  const isOfUnknownTool = type === 'tool.reported' && tool_name === undefined;
  const hasToolResult = valueAt(content ?? undefined, TOOL_RESULT) !== undefined;
  return isOfUnknownTool || hasToolResult ? 'file' : 'content';
}

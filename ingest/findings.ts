/** The places in one record where data about people or secrets were found, as the record lists them. */
import type { DataClass } from '../schemas/data-class.ts';
import type { JsonObject } from '../schemas/json.ts';

/** Findings that one record lists; `data_findings_omitted` counts the others. */
export const MAX_FINDINGS = 1_000;
/** Characters of the pointers of all findings that one record lists. */
export const MAX_FINDING_POINTERS_LENGTH = 256 * 1024;

/** A finding as the content of a record lists it. */
export type ListedFinding = JsonObject & { readonly type: DataClass; readonly pointer: string };

/**
 * The findings of one record or of one of its parts, in order. The first finding that does not fit ends the list, so
 * that findings of parts that are joined are listed as if the whole had been searched at once.
 */
export class Findings {
  readonly #listed: ListedFinding[] = [];
  readonly #types = new Set<DataClass>();
  #pointersLength = 0;
  #omitted = 0;

  get listed(): readonly ListedFinding[] {
    return this.#listed;
  }

  /** Number of findings that are not listed. */
  get omitted(): number {
    return this.#omitted;
  }

  get types(): ReadonlySet<DataClass> {
    return this.#types;
  }

  /** Whether no further finding is listed. */
  get isFull(): boolean {
    return this.#omitted > 0 || this.#listed.length === MAX_FINDINGS;
  }

  /** Adds a class of data without a place. */
  addType(type: DataClass): void {
    this.#types.add(type);
  }

  /** Adds a finding of this class. Its entry in the list is made only if the list is not full. */
  add(type: DataClass, toListed: () => ListedFinding): void {
    this.#types.add(type);
    const finding = this.isFull ? undefined : toListed();
    const length = this.#pointersLength + (finding?.pointer.length ?? 0);
    if (finding === undefined || length > MAX_FINDING_POINTERS_LENGTH) this.#omitted += 1;
    else {
      this.#pointersLength = length;
      this.#listed.push(finding);
    }
  }

  /** Adds the findings of a part. */
  join(part: Findings): void {
    for (const finding of part.listed) this.add(finding.type, () => finding);
    for (const type of part.types) this.#types.add(type);
    this.#omitted += part.omitted;
  }
}

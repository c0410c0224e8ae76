/** A measured figure beside the machine's own limit. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly limit_name: string;
  readonly limit_median: number;
  /** median / limit_median */
  readonly ratio: number;
  readonly runs: number;
  readonly target?: number;
  readonly meets_target?: boolean;
}

export interface Limit {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
}

export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly limit: Limit;
  /** A target is a least value or a most value, never both. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Nearest rank in a sorted list; 0 of an empty one. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
}

export function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
  return { min: sorted[0] ?? 0, median, max: sorted.at(-1) ?? 0 };
}

export function toFigure({ name, unit, values, limit, atLeast, atMost }: Measured): Figure {
  const { min, median, max } = spread(values);
  const limitMedian = spread(limit.values).median;
  const target = atLeast ?? atMost;
  const meets = atLeast === undefined ? median <= (atMost ?? 0) : median >= atLeast;
  return {
    name,
    unit,
    min: rounded(min),
    median: rounded(median),
    max: rounded(max),
    limit_name: limit.name,
    limit_median: rounded(limitMedian),
    ratio: Number((median / limitMedian).toPrecision(3)),
    runs: values.length,
    ...(target === undefined ? {} : { target, meets_target: meets }),
  };
}

/** No more digits than the measurement has. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

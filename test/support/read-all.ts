import { expect } from 'vitest';
import type { Page } from '../../api/http/page.ts';
import type { ApiStack } from './api-stack.ts';

/** Follows next_cursor from the first page to the last. `between` runs before each page but the first. */
export async function readAll<Item>(
  stack: ApiStack,
  url: string,
  between: (pageCount: number) => Promise<void> = () => Promise.resolve(),
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages === 0 || cursor !== null; pages += 1) {
    if (pages > 0) await between(pages);
    const join = url.includes('?') ? '&' : '?';
    const answer = await stack.get(cursor === null ? url : `${url}${join}cursor=${cursor}`);
    expect(answer.statusCode, answer.body).toBe(200);
    const page = answer.json<Page<Item>>();
    expect(page.has_more).toBe(page.next_cursor !== null);
    items.push(...page.data);
    cursor = page.next_cursor;
  }
  return items;
}

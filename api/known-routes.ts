import type { TypedApp } from './typed-app.ts';

export interface KnownRoutes {
  /** Methods that routes with this path take, sorted; empty if there is none. */
  methodsOf(url: string): string[];
}

/** Notes each route as it is added, so that a wrong method can be told from a wrong path (RFC 9110 section 15.5.6). */
export function trackRoutes(app: TypedApp): KnownRoutes {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set<string>();
    for (const one of [method].flat()) known.add(one.toUpperCase());
    methods.set(url, known);
  });
  return {
    methodsOf(url) {
      const path = url.split(/[?#]/, 1)[0] ?? '';
      const found = [...methods].filter(([pattern]) => matches(pattern, path));
      return [...new Set(found.flatMap(([, known]) => [...known]))].sort();
    },
  };
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return false;
  return wanted.every((segment, at) => {
    const text = given[at] ?? '';
    return segment.startsWith(':') ? text !== '' : segment === text;
  });
}

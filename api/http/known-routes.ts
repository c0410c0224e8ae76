import type { TypedApp } from './typed-app.ts';

export interface KnownRoutes {
  /** Methods of the routes with this path, sorted; empty if no route has it. */
  methodsOf(url: string): string[];
}

/** Keeps a list of all routes, so that a wrong method is answered with 405 and a wrong path with 404 (RFC 9110). */
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
  // A wildcard takes the rest of the path.
  const given = wanted.at(-1) === '*' ? path.split('/').slice(0, wanted.length) : path.split('/');
  if (wanted.length !== given.length) return false;
  return wanted.every((segment, at) => {
    const text = given[at] ?? '';
    return segment.startsWith(':') || segment === '*' ? text !== '' : segment === text;
  });
}

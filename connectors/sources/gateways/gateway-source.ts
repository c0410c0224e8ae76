import { itemSource, type ItemSourceOptions } from '../../drafts/item-source.ts';
import type { Source } from '../../drafts/source.ts';

const GATEWAY_ROUTES = '/v1/gateways/';

/** The route that takes the logs of a gateway of this name. */
export function gatewayRoute(name: string): string {
  return `${GATEWAY_ROUTES}${name}`;
}

/** The gateway whose logs a source takes; undefined for any other source. */
export function gatewayNameOf({ route }: Pick<Source, 'route'>): string | undefined {
  return route.startsWith(GATEWAY_ROUTES) ? route.slice(GATEWAY_ROUTES.length) : undefined;
}

/** Says that no source takes the logs of a gateway. A name that could not be that of a gateway is not repeated. */
export function describeUnknownGateway(name: string, sources: readonly Pick<Source, 'route'>[]): string {
  const called = GATEWAY_NAME.test(name) ? `is called ${name}` : 'has the name in the path';
  const known = sources.flatMap((source) => gatewayNameOf(source) ?? []).join(', ');
  return `no gateway ${called}; known: ${known}; describe others with ingest.gateway_mappings (docs/sources.md)`;
}

const GATEWAY_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** The gateway whose logs go to a path, whether there is a source for it or not. */
export function gatewayNameIn(path: string): string | undefined {
  return gatewayNameOf({ route: path });
}

/** A gateway that logs JSON objects, with the route of its name. */
export function gatewaySource<const Name extends string>(
  options: Omit<ItemSourceOptions<Name>, 'route'>,
): Source<Name> {
  return itemSource({ ...options, route: gatewayRoute(options.name) });
}

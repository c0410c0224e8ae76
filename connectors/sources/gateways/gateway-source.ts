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

/** A gateway that logs JSON objects, with the route of its name. */
export function gatewaySource<const Name extends string>(
  options: Omit<ItemSourceOptions<Name>, 'route'>,
): Source<Name> {
  return itemSource({ ...options, route: gatewayRoute(options.name) });
}

import type { JsonValue } from '../../../schemas/json.ts';
import type { Facts } from '../../../schemas/record.ts';
import { say } from '../../drafts/members.ts';
import { readTold } from './refusals.ts';

/** What a result as the model got it settles, where the source also says whether it is an error. */
export function sayToldResult(
  facts: Facts,
  toolName: string | undefined,
  { response, isError }: { readonly response: JsonValue; readonly isError: boolean | undefined },
): void {
  if (isError === false) {
    facts.told = 'executed';
    facts.success = true;
    return;
  }
  const { told, decision_source } = readTold(toolName, response);
  facts.told = told;
  say(facts, 'decision_source', decision_source);
  if (isError === true) facts.success = false;
}

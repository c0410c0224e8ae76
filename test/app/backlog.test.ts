import { describe, expect, it } from 'vitest';
import { createBacklogReader } from '../../app/backlog.ts';
import type { AppContext } from '../../app/context.ts';
import { CloseStack } from '../../app/logs.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { createTestLogger } from '../support/log-lines.ts';

const { logger, lines } = createTestLogger();
const context = { replaced: {}, logger } as AppContext;
const lag = { envelopes: 3, bytes: 300 };

/** An event log that fails to open as often as asked, and counts. */
function openerOf(failures: number) {
  const seen = { opened: 0, closed: 0 };
  const close = () => Promise.resolve(void (seen.closed += 1));
  const open = () => {
    seen.opened += 1;
    if (seen.opened <= failures)
      return Promise.reject(new PipelineError('LOG_UNAVAILABLE', 'no broker answers'));
    return Promise.resolve({ lag: () => Promise.resolve(lag), close });
  };
  return { seen, open };
}

describe('the backlog reader', () => {
  it('opens the event log at the first question, once, and closes it with the process', async () => {
    const { seen, open } = openerOf(0);
    const stack = new CloseStack();
    const read = createBacklogReader(context, undefined, stack, open);
    expect(seen.opened).toBe(0);
    expect(await Promise.all([read(), read()])).toEqual([lag, lag]);
    await stack.close();
    expect(seen).toEqual({ opened: 1, closed: 1 });
    expect(await read()).toBe('unknown');
    expect(seen.opened).toBe(1);
  });

  it('answers unknown while the event log is away, and the figure when it is back', async () => {
    lines.length = 0;
    const { seen, open } = openerOf(1);
    const stack = new CloseStack();
    const read = createBacklogReader(context, undefined, stack, open);
    expect(await read()).toBe('unknown');
    expect(await read()).toEqual(lag);
    await stack.close();
    expect(seen).toEqual({ opened: 2, closed: 1 });
    expect(lines).toMatchObject([{ code: 'LOG_UNAVAILABLE', detail: 'no broker answers' }]);
  });

  it('asks the log that the process seals from, and neither opens nor closes one', async () => {
    const { seen, open } = openerOf(0);
    const stack = new CloseStack();
    const away = { lag: () => Promise.reject(new Error('no broker answers')) };
    expect(await createBacklogReader(context, away, stack, open)()).toBe('unknown');
    expect(await createBacklogReader(context, { lag: () => Promise.resolve(lag) }, stack, open)()).toBe(lag);
    await stack.close();
    expect(seen).toEqual({ opened: 0, closed: 0 });
  });
});

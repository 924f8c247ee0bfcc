// /deadletters: what was given up, why, and giving it another chance.
import type { Hono } from 'hono';
import { z } from 'zod';
import type { Api } from '../deps.ts';
import { Problem } from '../http/problem.ts';
import { list, reply } from '../http/reply.ts';
import { page, query } from '../http/request.ts';

const deadLetter = z.object({
  id: z.string(),
  /** The function that could not handle it. */
  subscription: z.string(),
  attempts: z.int(),
  reason: z.string(),
  at: z.string(),
  /** As it came; not always a valid event. */
  event: z.unknown(),
});
export type DeadLetterView = z.infer<typeof deadLetter>;

const redriven = z.object({ id: z.string(), redriven: z.literal(true) });

export function deadLetters(app: Hono, api: Api): void {
  app.get('/deadletters', async (c) => {
    const { limit, continue: after } = query(c.req.raw, z.strictObject(page));
    const items = await api.deadLetters({ limit, ...(after !== undefined && { after }) });
    const last = items.length === limit ? items.at(-1)?.id : undefined;
    return reply(list(deadLetter), { items, ...(last !== undefined && { continue: last }) });
  });

  app.post('/deadletters/:id/redrive', async (c) => {
    const id = c.req.param('id');
    try {
      await api.redrive(id);
    } catch (error) {
      api.log.warn({ id: id.slice(0, 256), err: error }, 'a dead letter could not be redriven');
      throw new Problem(
        409,
        'not-redriven',
        `${error instanceof Error ? error.message : 'It cannot be redriven'}. \`tidemill deadletters list\` shows those there are.`,
      );
    }
    return reply(redriven, { id, redriven: true }, 202);
  });
}

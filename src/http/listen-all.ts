/** Opens several ports, or none of them: if one is taken, those that are open already are closed. */
import type { FastifyInstance } from 'fastify';

type Listening = readonly [app: FastifyInstance, host: string, port: number];

/** @returns the addresses, in the same order @throws if a port is taken */
export async function listenAll(all: readonly Listening[]): Promise<string[]> {
  const addresses: string[] = [];
  try {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that it is known which are open
    for (const [app, host, port] of all) addresses.push(await app.listen({ host, port }));
  } catch (error) {
    await Promise.all(all.slice(0, addresses.length).map(([app]) => app.close()));
    throw error;
  }
  return addresses;
}

/** Limits how many connections a server has, and how many of them one address holds. */
import type { Server, Socket } from 'node:net';
import { Totals } from '../core/totals.ts';

export interface ConnectionLimits {
  readonly total: number;
  readonly perAddress: number;
  /**
   * What happens to a connection beyond the total: it is refused, or it takes the place of the oldest one, where requests are
   * short and no client must be kept out.
   */
  readonly beyond: 'refuse' | 'close the oldest';
}

export function limitConnections(server: Server, { total, perAddress, beyond }: ConnectionLimits): void {
  if (beyond === 'refuse') server.maxConnections = total;
  /** In the order in which they came. */
  const all = new Set<Socket>();
  /** Open connections by address: at most `total` addresses. */
  const open = new Totals();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (open.of(address) >= perAddress) {
      socket.destroy();
      return;
    }
    open.add(address, 1);
    all.add(socket);
    const [oldest] = all;
    if (all.size > total) oldest?.destroy();
    socket.once('close', () => {
      all.delete(socket);
      open.add(address, -1);
    });
  });
}

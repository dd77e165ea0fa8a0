/** Certificate files that are renewed while the webhook serves: over real TLS, with clients that verify. */
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type PeerCertificate } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAuthority, issueServingCertificate, type KeyPair } from '../../src/tls/authority.ts';
import { admissionReview } from '../support/admission.ts';
import { sendHttps } from '../support/https.ts';
import { podObject } from '../support/objects.ts';
import { runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';

const authority = createAuthority(Date.now());
const issue = (): KeyPair => issueServingCertificate(authority, ['127.0.0.1'], Date.now());
const REVIEW = JSON.stringify(admissionReview(podObject()));
/** Milliseconds: the webhook polls its certificate files every second, and may be late on a busy machine. */
const SEEN = { timeout: 10_000, interval: 100 };

let running: { webhook: RunningWebhook; folder: ReturnType<typeof temporaryFolder> } | undefined;
afterEach(async () => {
  await running?.webhook.stop();
  running?.folder.remove();
  running = undefined;
});

async function serveWith(pair: KeyPair): Promise<{
  webhook: RunningWebhook;
  write: (pair: KeyPair) => void;
  presented: () => Promise<string>;
  post: (agent?: Agent) => Promise<{ status: number; localPort: number | undefined }>;
}> {
  const folder = temporaryFolder({ 'tls.crt': pair.cert, 'tls.key': pair.key });
  const webhook = await runWebhook(folder.path, {
    'tls.cert': `${folder.path}/tls.crt`,
    'tls.key': `${folder.path}/tls.key`,
  });
  running = { webhook, folder };
  await webhook.synced;
  const { port } = webhook;
  return {
    webhook,
    // Writes the two files one after the other, as most programs that renew certificates do.
    write: ({ cert, key }) => {
      folder.write('tls.crt', cert);
      folder.write('tls.key', key);
    },
    presented: async () => {
      const socket = connect({ host: '127.0.0.1', port, ca: authority.cert });
      await once(socket, 'secureConnect');
      const { serialNumber }: PeerCertificate = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    },
    post: (agent) =>
      sendHttps(
        `https://127.0.0.1:${port}/mutate`,
        { ca: authority.cert, method: 'POST', agent: agent ?? false },
        REVIEW,
      ),
  };
}

describe('a renewed certificate', () => {
  it('is given to new connections, and closes none that are open', async () => {
    const { webhook, write, presented, post } = await serveWith(issue());
    const before = await presented();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { localPort } = await post(agent);
    write(issue());
    await vi.waitFor(async () => expect(await presented()).not.toBe(before), SEEN);
    expect(await post(agent)).toMatchObject({ status: 200, localPort });
    agent.destroy();
    expect(webhook.logged.map(({ step }) => step)).toContainEqual(
      expect.stringContaining('serving with the renewed certificate'),
    );
  });

  it('fails no request that comes meanwhile over a connection of its own', async () => {
    const { write, presented, post } = await serveWith(issue());
    const over = new AbortController();
    const statuses = new Map<number, number>();
    const clients = Array.from({ length: 5 }, async () => {
      while (!over.signal.aborted) {
        const { status } = await post();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    for (let i = 0; i < 3; i++) {
      const before = await presented();
      write(issue());
      await vi.waitFor(async () => expect(await presented()).not.toBe(before), SEEN);
    }
    over.abort();
    await Promise.all(clients);
    expect([...statuses.keys()]).toEqual([200]);
  });

  it('that does not fit its key is reported once, and not used until the files are corrected', async () => {
    const { webhook, write, presented } = await serveWith(issue());
    const before = await presented();
    const next = issue();
    write({ cert: next.cert, key: issue().key });
    const problems = (): unknown[] =>
      webhook.logged
        .map(({ problem }) => problem)
        .filter((problem) => String(problem).includes('the former certificate stays in force'));
    await vi.waitFor(() => expect(problems()).toHaveLength(1), SEEN);
    expect(problems()[0]).toContain('is not the private key of the certificate in');
    expect(await presented()).toBe(before);
    write(next);
    await vi.waitFor(async () => expect(await presented()).not.toBe(before), SEEN);
    expect(problems()).toHaveLength(1);
  });
});

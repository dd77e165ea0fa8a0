/**
 * `imc check` against a scripted API server, for the cases that test/e2e/cli.test.ts cannot bring about with a real API
 * server.
 */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { kubeconfig } from '../e2e/support/control-plane.ts';
import { imc, killRunning, type Result } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import { CA, SERVING_CERTIFICATE, temporaryFolder } from '../support/webhook.ts';

afterEach(killRunning);

/** Runs the check against a server. @returns its result, and the requests that the server got */
async function check(answer: RequestListener, ...flags: string[]): Promise<Result & { asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(SERVING_CERTIFICATE, (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const folder = temporaryFolder({ kubeconfig: kubeconfig(`https://127.0.0.1:${port}`, CA, {}) });
  try {
    const result = await imc([
      'check',
      '--only',
      'pods',
      '--kubeconfig',
      `${folder.path}/kubeconfig`,
      ...flags,
    ]);
    return { ...result, asked };
  } finally {
    server.closeAllConnections();
    server.close();
    folder.remove();
  }
}

const answering =
  (status: number, body: unknown, warnings: readonly string[] = []): RequestListener =>
  (_request, response) => {
    response.writeHead(
      status,
      warnings.flatMap((warning) => ['warning', warning]),
    );
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const pod = (annotations: Json): Json => ({ kind: 'Pod', metadata: { annotations } });
const DECISION = 'imagecache-webhook.io/decision';

it('shows every warning of the API server, with its quotes, also if the pod is not decided', async () => {
  const warnings = ['299 - "image caches are not supported here"', '299 - "a \\"quoted\\" word"', 'odd'];
  const { code, err, out } = await check(answering(201, pod({}), warnings), '--timeout', '0s');
  expect(code).toBe(1);
  expect(err.trim().split('\n')).toEqual([
    'imc check: warning: image caches are not supported here',
    'imc check: warning: a "quoted" word',
    'imc check: warning: odd',
  ]);
  expect(out).toContain('The webhook did not decide a pod of namespace default within 0 s');
});

it('tries again until the pod is decided, each time as a dry run in the namespace that was asked for', async () => {
  let tries = 0;
  const { code, out, asked } = await check(
    (request, response) => {
      tries += 1;
      if (tries === 1) answering(503, { message: 'not yet' })(request, response);
      else if (tries === 2) answering(201, pod({}))(request, response);
      else
        answering(201, pod({ [DECISION]: '{"outcome":"hit","why":"it holds 1 of 1 images"}' }))(
          request,
          response,
        );
    },
    '--namespace',
    'team a',
  );
  expect([code, out]).toEqual([
    0,
    'pods  ok  The webhook decides pods of namespace team a. Decision for a test pod: hit, it holds 1 of 1 images.\n',
  ]);
  expect(asked).toEqual(Array.from({ length: 3 }, () => 'POST /api/v1/namespaces/team%20a/pods?dryRun=All'));
});

it.each<[string, RequestListener, string]>([
  [
    'an annotation that is no decision',
    answering(201, pod({ [DECISION]: '{' })),
    'The webhook did not decide',
  ],
  ['something else than a pod', answering(200, '[]'), 'the API server answered something else than a pod'],
  ['an HTML page', answering(200, '<html>'), 'is not valid JSON'],
  ['nothing at all', () => undefined, 'no answer within 1000 ms'],
])('ends with 1 and says what is wrong if it is answered with %s', async (_title, answer, message) => {
  const { code, out } = await check(answer, '--timeout', '0s');
  expect([code, out]).toEqual([1, expect.stringContaining(message)]);
});

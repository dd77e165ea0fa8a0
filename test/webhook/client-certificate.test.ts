/** A webhook that decides only for clients with a certificate, over real TLS. */
import { Agent } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/tls/authority.ts';
import { admissionReview } from '../support/admission.ts';
import { issueClientCertificate } from '../support/client-certificate.ts';
import { sendHttps, type HttpsAnswer } from '../support/https.ts';
import { podObject } from '../support/objects.ts';
import { CA, runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';

const REVIEW = JSON.stringify(admissionReview(podObject()));
const authority = createAuthority(Date.now());
const apiServer = issueClientCertificate(authority, 'kube-apiserver');
const another = issueClientCertificate(authority, 'somebody');
const stranger = issueClientCertificate(createAuthority(Date.now()), 'kube-apiserver');

describe('with tls.clientCa and tls.clientNames', () => {
  const folder = temporaryFolder({ 'client-ca.crt': authority.cert });
  let webhook: RunningWebhook;
  beforeAll(async () => {
    webhook = await runWebhook(folder.path, {
      'tls.clientCa': `${folder.path}/client-ca.crt`,
      'tls.clientNames': 'kube-apiserver, front-proxy',
    });
    await webhook.synced;
  });
  afterAll(async () => {
    await webhook?.stop();
    folder.remove();
  });

  const post = (credentials: object): Promise<HttpsAnswer> =>
    sendHttps(`${webhook.address}/mutate`, { method: 'POST', ca: CA, agent: false, ...credentials }, REVIEW);

  it('a client with a certificate for an allowed name is answered, also twice over one connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ...apiServer, ca: CA });
    const answers = [await post({ agent }), await post({ agent })];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]!.localPort).toBe(answers[1]!.localPort);
    agent.destroy();
  });

  it.each([
    ['no certificate', {}, 'a client certificate of the CA that tls.clientCa names is needed'],
    [
      'a certificate of another CA',
      stranger,
      'a client certificate of the CA that tls.clientCa names is needed',
    ],
    [
      'a certificate for another name',
      another,
      'the client certificate is for somebody; allowed are kube-apiserver, front-proxy',
    ],
  ])('a client with %s is refused, and the answer says why', async (_what, credentials, message) => {
    const { status, body } = await post(credentials);
    expect([status, (JSON.parse(body) as { message: string }).message]).toEqual([403, message]);
  });

  it('a client without a certificate may ask for health, as the kubelet does', async () => {
    expect((await webhook.get('/healthz')).status).toBe(200);
    expect((await webhook.get('/readyz')).status).toBe(200);
  });
});

it('the webhook does not start if the file of tls.clientCa cannot be read, and names the file', async () => {
  const folder = temporaryFolder({ 'client-ca.crt': 'text' });
  await expect(runWebhook(folder.path, { 'tls.clientCa': `${folder.path}/client-ca.crt` })).rejects.toThrow(
    /client-ca\.crt is no PEM certificate/,
  );
  folder.remove();
});

/**
 * Other mutating webhooks: one adds a container, as a service mesh does, and one only records the pods that it gets.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createAuthority, issueServingCertificate } from '../../../src/tls/authority.ts';

interface Container {
  readonly name: string;
  readonly image: string;
}

interface ReviewedPod {
  readonly metadata: { readonly name?: string };
  readonly spec: { readonly containers: readonly Container[] };
}

export interface OtherWebhook extends AsyncDisposable {
  readonly address: string;
  readonly ca: string;
}

/** Adds a container to every pod that lacks it. */
export function startSidecarInjector(sidecar: Container): Promise<OtherWebhook> {
  return startOther(({ spec }) => {
    const isThere = spec.containers.some(({ name }) => name === sidecar.name);
    return isThere ? [] : [{ op: 'add', path: '/spec/containers/-', value: sidecar }];
  });
}

/** Records the names of the pods that it gets, in their order, and changes nothing. */
export async function startRecorder(): Promise<OtherWebhook & { readonly sent: string[] }> {
  const sent: string[] = [];
  const webhook = await startOther(({ metadata: { name = '' } }) => {
    sent.push(name);
    return [];
  });
  return { ...webhook, sent };
}

interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string; readonly object: ReviewedPod };
}

async function startOther(patchOf: (pod: ReviewedPod) => readonly unknown[]): Promise<OtherWebhook> {
  const authority = createAuthority(Date.now());
  const tls = issueServingCertificate(authority, ['127.0.0.1'], Date.now());
  const server = createServer(tls, (incoming, answer) => {
    void json(incoming).then((body) => {
      const { apiVersion, request } = body as Review;
      const patch = Buffer.from(JSON.stringify(patchOf(request.object))).toString('base64');
      const response = { uid: request.uid, allowed: true, patchType: 'JSONPatch', patch };
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify({ apiVersion, kind: 'AdmissionReview', response }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: authority.cert,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

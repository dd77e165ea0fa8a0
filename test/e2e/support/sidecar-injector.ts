/** Another mutating webhook, such as a service mesh has: adds a container to every pod that lacks it. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createAuthority, issueServingCertificate } from '../../../src/tls/authority.ts';

interface Container {
  readonly name: string;
  readonly image: string;
}

export interface SidecarInjector extends AsyncDisposable {
  readonly address: string;
  readonly ca: string;
}

export async function startSidecarInjector(sidecar: Container): Promise<SidecarInjector> {
  const authority = createAuthority(Date.now());
  const tls = issueServingCertificate(authority, ['127.0.0.1'], Date.now());
  const server = createServer(tls, (incoming, answer) => {
    void json(incoming).then((review) => {
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify(inject(sidecar, review as Review)));
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

interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string; readonly object: { readonly spec: { containers: Container[] } } };
}

function inject(sidecar: Container, { apiVersion, request }: Review): unknown {
  const isThere = request.object.spec.containers.some(({ name }) => name === sidecar.name);
  const patch = isThere ? [] : [{ op: 'add', path: '/spec/containers/-', value: sidecar }];
  return {
    apiVersion,
    kind: 'AdmissionReview',
    response: {
      uid: request.uid,
      allowed: true,
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    },
  };
}

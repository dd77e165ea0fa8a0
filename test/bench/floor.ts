/**
 * The floor: a Fastify server that only parses each review and answers with the same patch. It has the certificate of
 * the webhook, and the same versions of Fastify and Node.
 */
import Fastify from 'fastify';
import { servingCertificate } from './certificate.ts';

const PATCH = [
  {
    op: 'add',
    path: '/metadata/annotations/k8s.aliyun.com~1eci-imc-id',
    value: 'imc-2ze0000000000000000a',
  },
];
const patch = Buffer.from(JSON.stringify(PATCH)).toString('base64');

interface Review {
  readonly request: { readonly uid: string };
}

const app = Fastify({ https: servingCertificate() });
app.post<{ Body: Review }>('/mutate', ({ body }, reply) => {
  reply.send({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: body.request.uid, allowed: true, patchType: 'JSONPatch', patch },
  });
});
process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));

/**
 * Stands in for an API server with a cluster of any size: a real API server would need hours to create the objects, and
 * would take processor time from the measurement. It lists in pages and watches with bookmarks, and messages of the
 * parent process change the cluster.
 */
import { createServer } from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from '../support/objects.ts';
import { servingCertificate } from './certificate.ts';
import { describeCaches, type CacheDescription } from './population.ts';
import { SELECTORS } from './reviews.ts';

export interface Script {
  /** How many changes to ImageCaches are made each second from now on. */
  readonly changesPerSecond?: number;
  /** Ends the watch on ImageCaches so that all of them have to be listed anew. */
  readonly relist?: true;
}

const [caches = 0, selectors = 0] = process.argv.slice(2).map(Number);
const IMAGE_CACHES = '/apis/eci.alibabacloud.com/v1/imagecaches';
let version = 1;

function imageCache({ name, id, images, sizeGiB, createdAt }: CacheDescription, phase: string): Json {
  return {
    apiVersion: 'eci.alibabacloud.com/v1',
    kind: 'ImageCache',
    metadata: {
      name,
      uid: `8c7d6e5f-0000-4000-8000-${name.slice(-6)}`,
      resourceVersion: `${version}`,
      creationTimestamp: `${new Date(createdAt).toISOString().slice(0, 19)}Z`,
    },
    spec: { images, imageCacheSize: sizeGiB },
    status: { imageCacheId: id, phase, progress: '100%', startTime: new Date(createdAt).toISOString() },
  };
}

const effect = { annotations: { 'k8s.aliyun.com/imc-match-count-request': '1' } };
const described = [...describeCaches(caches)];
const objects = new Map<string, readonly string[]>([
  [IMAGE_CACHES, described.map((each) => JSON.stringify(imageCache(each, 'Ready')))],
  [
    '/apis/eci.aliyun.com/v1/selectors',
    Array.from({ length: selectors / 2 }, (_, i) =>
      JSON.stringify({
        apiVersion: 'eci.aliyun.com/v1',
        kind: 'Selector',
        metadata: { name: `selector-${i}`, namespace: 'default', uid: `s${i}`, resourceVersion: '1' },
        spec: { objectLabels: { matchLabels: { team: `team-${i}` } }, effect, priority: i },
      }),
    ),
  ],
  [
    '/api/v1/namespaces/kube-system/configmaps',
    [
      JSON.stringify({
        metadata: { name: 'eci-profile', namespace: 'kube-system', uid: 'c', resourceVersion: '1' },
        data: {
          selectors: JSON.stringify(
            Array.from({ length: selectors / 2 }, (_, i) => ({
              name: `entry-${i}`,
              objectSelector: { matchLabels: { team: `team-${SELECTORS / 2 + i}` } },
              effect,
            })),
          ),
        },
      }),
    ],
  ],
  ['/api/v1/namespaces', [JSON.stringify({ metadata: { name: 'shop', uid: 'n', resourceVersion: '1' } })]],
  ['/api/v1/nodes', []],
]);
const watches = new Map<ServerResponse, string>();

function end(watch: ServerResponse): void {
  watches.delete(watch);
  watch.end();
}

function tell(answer: ServerResponse, type: string, object: string): void {
  answer.write(`{"type":"${type}","object":${object}}\n`);
}

const server = createServer(servingCertificate(), (request, answer) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'https://server');
  const items = objects.get(pathname);
  answer.writeHead(items ? 200 : 404, { 'content-type': 'application/json' });
  if (!items) {
    answer.end('{"kind":"Status","code":404}');
  } else if (searchParams.get('watch') === 'true') {
    answer.flushHeaders();
    watches.set(answer, pathname);
    const over = setTimeout(() => end(answer), Number(searchParams.get('timeoutSeconds')) * 1000);
    answer.on('close', () => {
      clearTimeout(over);
      end(answer);
    });
  } else {
    const from = Number(searchParams.get('continue') ?? 0);
    const to = from + Number(searchParams.get('limit') ?? 500);
    const more = to < items.length ? `,"continue":"${to}"` : '';
    answer.end(
      `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"${version}"${more}},"items":[${items.slice(from, to).join()}]}`,
    );
  }
});

/** Sets one cache to Updating and, by the next call, back to Ready: at most one cache at a time is not Ready. */
function change(): void {
  version++;
  const each = described[((version >> 1) * 7919) % described.length]!;
  const object = JSON.stringify(imageCache(each, version % 2 === 0 ? 'Updating' : 'Ready'));
  for (const [answer, path] of watches) if (path === IMAGE_CACHES) tell(answer, 'MODIFIED', object);
}

let perSecond = 0;
let owed = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  owed += ((now - last) / 1000) * perSecond;
  last = now;
  for (; owed >= 1; owed--) change();
}, 5);
setInterval(() => {
  for (const answer of watches.keys())
    tell(answer, 'BOOKMARK', `{"metadata":{"resourceVersion":"${version}"}}`);
}, 5000);

process.on('message', ({ changesPerSecond, relist }: Script) => {
  perSecond = changesPerSecond ?? perSecond;
  if (relist !== true) return;
  for (const [answer, path] of watches) {
    if (path !== IMAGE_CACHES) continue;
    tell(answer, 'ERROR', '{"kind":"Status","code":410,"reason":"Expired","message":"too old"}');
    end(answer);
  }
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () =>
  process.send?.(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
);

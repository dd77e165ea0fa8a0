/** Nodes for which kwok stands in for the kubelet: real nodes, and virtual nodes of ECI. */
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import type { ApiServer } from './api-server.ts';

/** The taint of ECI's virtual nodes, which keeps away pods without the toleration. */
const TAINT = { key: 'virtual-kubelet.io/provider', value: 'alibabacloud', effect: 'NoSchedule' };
export const TOLERATION = { key: TAINT.key, operator: 'Exists' };

interface NodeSpec {
  readonly name: string;
  readonly virtual?: boolean;
  /** How many pods fit. */
  readonly pods?: number;
}

/** Makes a node, and waits until kwok says that it is ready. */
export async function addNode(
  api: ApiServer,
  { name, virtual = false, pods = 1000 }: NodeSpec,
): Promise<void> {
  await api.create('/api/v1/nodes', {
    metadata: {
      name,
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
      labels: { 'kubernetes.io/hostname': name, type: virtual ? 'virtual-kubelet' : 'worker' },
    },
    spec: virtual ? { taints: [TAINT] } : {},
    status: { allocatable: roomFor(pods), capacity: roomFor(pods) },
  });
  await eventually(async () => {
    const { status, spec } = await api.get(`/api/v1/nodes/${name}`);
    const conditions = ((status as Json)['conditions'] ?? []) as { type: string; status: string }[];
    const taints = ((spec as Json)['taints'] ?? []) as { key: string }[];
    const isReady = conditions.some((each) => each.type === 'Ready' && each.status === 'True');
    if (!isReady || taints.some(({ key }) => key !== TAINT.key)) throw new Error(`node ${name} is not ready`);
  }, 30_000);
}

function roomFor(pods: number): Json {
  return { cpu: '1k', memory: '1Ti', 'ephemeral-storage': '1Pi', pods: `${pods}` };
}

/** `make cluster`, as somebody uses it who copies the printed commands. */
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { hasEnded, runOwned, spawnOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';

interface Playground {
  readonly printed: () => string;
  readonly ended: () => boolean;
  /** Sends SIGINT, as Ctrl-C does. @returns the exit code */
  readonly interrupt: () => Promise<number | null>;
}

function start(environment: NodeJS.ProcessEnv = {}): Playground {
  const child = spawnOwned(process.execPath, ['test/cluster/cluster.ts'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  return {
    printed: () => printed,
    ended: () => hasEnded(child),
    interrupt: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      return ((await ended) as [number | null])[0];
    },
  };
}

/** The command lines of all processes. */
function commandLines(): string[] {
  return globSync('/proc/[0-9]*/cmdline').map((file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      // The process has ended meanwhile.
      return '';
    }
  });
}

it('make cluster prints a kubeconfig and three commands that work, and Ctrl-C leaves nothing behind', async () => {
  const cluster = start();
  await eventually(() => {
    expect(cluster.ended(), cluster.printed()).toBe(false);
    expect(cluster.printed()).toContain('Ctrl-C ends all of it.');
  }, 120_000);
  const [, environment] = /^ {2}(export KUBECONFIG=.*)$/m.exec(cluster.printed())!;
  const commands = Array.from(cluster.printed().matchAll(/^ {2}(kubectl .*)$/gm), ([, command]) => command!);
  expect(commands).toHaveLength(3);
  const home = temporaryFolder();
  const outputs: string[] = [];
  for (const command of commands) {
    const variables = { ...process.env, HOME: home.path };
    outputs.push(await runOwned('sh', ['-c', `${environment}; ${command}`], variables));
  }
  expect(outputs[0]).toContain('deployment "web" successfully rolled out');
  expect(outputs[1]).toMatch(/^imagecache\.eci\.alibabacloud\.com\/auto-[0-9a-f]{32} condition met$/m);
  expect(outputs[2]!.match(/^web-\S+ +Running +imc-[0-9a-f]{20}$/gm)).toHaveLength(3);
  home.remove();

  const kubeconfig = /KUBECONFIG=(\S+)/.exec(environment!)![1]!;
  const [, logs] = /^Their logs are in (\S+)\.$/m.exec(cluster.printed())!;
  expect([existsSync(kubeconfig), existsSync(logs!)]).toEqual([true, true]);
  expect(await cluster.interrupt()).toBe(0);
  expect([existsSync(dirname(kubeconfig)), existsSync(logs!)]).toEqual([false, false]);
  // Every process of that cluster has the folder in its arguments.
  expect(commandLines().filter((line) => line.includes(dirname(kubeconfig)))).toEqual([]);
});

it.each([
  ['', 'KUBEBUILDER_ASSETS is not set. It must name a folder that holds the programs of a control plane.'],
  ['/nowhere/1.37', 'KUBEBUILDER_ASSETS names /nowhere/1.37.'],
])(
  'without the programs, make cluster says which are missing and where to get them, and ends',
  async (assets, said) => {
    const cluster = start({ KUBEBUILDER_ASSETS: assets, PATH: dirname(process.execPath) });
    await eventually(() => expect(cluster.ended()).toBe(true), 30_000);
    expect(cluster.printed()).toContain(`make cluster: ${said}`);
    for (const [program, from] of [
      ['etcd', "etcd's releases"],
      ['kube-apiserver', "Kubernetes' server binaries"],
      ['kube-controller-manager', "Kubernetes' server binaries"],
      ['kube-scheduler', "Kubernetes' server binaries"],
      ['kubectl', "Kubernetes' client binaries"],
      ['kwok', "kwok's releases"],
    ])
      expect(cluster.printed()).toMatch(new RegExp(`^  ${program} +from ${from}$`, 'm'));
  },
);

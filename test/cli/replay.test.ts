/** The command `imc replay`: its flags, its reports, and what it says of wrong input. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { imcHere as imc } from '../support/imc.ts';
import { podObject } from '../support/objects.ts';
import { temporaryFolder } from '../support/webhook.ts';

const folders: ReturnType<typeof temporaryFolder>[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

function folderWith(files: Parameters<typeof temporaryFolder>[0]): string {
  const folder = temporaryFolder(files);
  folders.push(folder);
  return folder.path;
}

const HOUR = 3600;
/** Three pods of one template; the third comes when the cache is Ready. */
const CSV = `key,created,deleted\na,0,${HOUR}\na,100,${HOUR}\na,200,${HOUR}\n`;
const trace = (text = CSV): string => join(folderWith({ 'trace.csv': text }), 'trace.csv');
const CONTROLLER = ['--policy', 'ours: createOnMiss.by=controller'];

async function outcomes(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await imc(['replay', '-o', 'json', ...args]);
  expect([code, err]).toEqual([0, '']);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('imc replay', () => {
  it('compares policies in a table, with what the trace is', async () => {
    const { code, out } = await imc([
      'replay',
      '--trace',
      trace(),
      ...CONTROLLER,
      '--policy',
      'eci: createOnMiss.by=eci',
    ]);
    expect(code).toBe(0);
    const lines = out.split('\n').map((line) => line.split(/ {2,}/));
    expect(out).toContain('3 pods of 1 templates in 0.0 days');
    expect(lines[2]!.slice(0, 4)).toEqual(['POLICY', 'WARM', 'PARTLY', 'COLD']);
    expect(lines[3]!.slice(0, 4)).toEqual(['ours', '33.3 %', '0.0 %', '66.7 %']);
    expect(lines[4]!.slice(0, 4)).toEqual(['eci', '33.3 %', '0.0 %', '66.7 %']);
  });

  it('writes one object a policy as JSON', async () => {
    expect(await outcomes('--trace', trace(), ...CONTROLLER)).toEqual([
      expect.objectContaining({ policy: 'ours', pods: 3, warm: 1, made: 1 }),
    ]);
  });

  it('writes a page with charts, in which nothing of a name is HTML', async () => {
    const { out } = await imc([
      'replay',
      '--trace',
      trace(),
      '--policy',
      '<b>: createOnMiss.by=eci',
      '-o',
      'html',
    ]);
    expect(out).toContain('<svg');
    expect(out).toContain('&lt;b&gt;');
    expect(out).not.toContain('<b>');
  });

  it('takes settings for all policies, other prices, and a slower ECI', async () => {
    const [dear] = await outcomes('--trace', trace(), ...CONTROLLER, '--price', 'diskGibHour=1');
    expect((dear!['cost'] as { disks: number }).disks).toBeCloseTo((20 * (HOUR - 200)) / HOUR);
    expect(await outcomes('--trace', trace(), ...CONTROLLER, '--creation-time', '10m')).toMatchObject([
      { warm: 0 },
    ]);
    expect(await outcomes('--trace', trace(), ...CONTROLLER, '--controller-quota', '0')).toMatchObject([
      { made: 0 },
    ]);
  });

  it('replays the pods of a folder that would go to ECI', async () => {
    const created = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    const pods = [60, 50, 40].map((ago, i) => {
      const pod = podObject({ images: ['a:1'] });
      const metadata = { ...(pod['metadata'] as object), name: `p${i}`, creationTimestamp: created(ago) };
      return { apiVersion: 'v1', kind: 'Pod', ...pod, metadata };
    });
    const other = { ...pods[0], metadata: { name: 'other', creationTimestamp: created(55) } };
    const list = { apiVersion: 'v1', kind: 'List', items: [...pods, other] };
    const folder = folderWith({ 'pods.json': list });
    expect(await outcomes('--source', `files:${folder}`, ...CONTROLLER)).toMatchObject([
      { pods: 3, warm: 2 },
    ]);
  });

  it.each([
    [['--trace', '/nowhere.csv'], 1, '/nowhere.csv cannot be read'],
    [['--trace', '/x', '--source', 'files:/y'], 2, '--trace and --source cannot be combined'],
    [['--policy', 'none'], 2, '--policy is "none"; it must be NAME:KEY=VALUE,...'],
    [
      ['--policy', 'a: controler.quota=1'],
      2,
      '"controler.quota" is no setting; did you mean controller.quota?',
    ],
    [['--policy', 'a: controller.quota'], 2, '"controller.quota" must be KEY=VALUE'],
    [['--policy', 'a: controller.quota=many'], 2, 'it must be a whole number, 0 or more'],
    [['--life', '0'], 2, '--life is "0"; it must be a duration'],
    [['--price', 'diskGibHour=0'], 2, 'and a number above 0'],
    [['--price', 'disk=1'], 2, 'with one of diskGibHour, vcpuSecond, memoryGibSecond, snapshotGibMonth'],
    [['--pull-rate', '0'], 2, '--pull-rate is "0"; it must be a number above 0'],
    [['--creation-time', '0'], 2, '--creation-time is "0"; it must be a duration'],
    [['--image-sizes', 'some'], 2, '--image-sizes is "some"; it must be known or unknown'],
    [['-o', 'pdf'], 2, '-o must be one of table, json, html'],
  ])('%j is refused: exit code %i, %s', async (args, code, message) => {
    const { code: exit, err } = await imc(['replay', ...args]);
    expect([exit, err]).toEqual([code, expect.stringContaining(message)]);
  });

  it('says where a trace is wrong', async () => {
    const { code, err } = await imc(['replay', '--trace', trace('key,created,deleted\na,x,1\n')]);
    expect([code, err]).toEqual([1, expect.stringContaining('trace.csv:2: created is "x"')]);
  });
});

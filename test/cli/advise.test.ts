import { describe, expect, it } from 'vitest';
import { imcHere as imc } from '../support/imc.ts';

const EXAMPLE = 'test/examples/pods/23-malformed-annotation.yaml';
const SOURCE = ['--source', 'files:test/examples/cluster'];
const FAULT =
  'metadata.annotations[k8s.aliyun.com/eci-auto-imc]: "yes please" is ignored; write "true" or "false"';

const DEPLOYMENT = (annotations: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    metadata:
      labels: {alibabacloud.com/eci: "true"}
      annotations:
        ${annotations}
    spec:
      containers:
        - name: web
          image: nginx:1.7.9
`;

describe('imc advise', () => {
  it('names file and line, and fails if a finding is an error', async () => {
    expect(await imc(['advise', '-f', EXAMPLE, ...SOURCE])).toEqual({
      code: 1,
      err: '',
      out: [
        'WHERE                                               SEVERITY  RULE                  WORKLOAD',
        `${EXAMPLE}:10  error     malformed-annotation  Pod malformed`,
        `  ${FAULT}`,
        '',
        'On 1 workload: 1 error.',
        '',
      ].join('\n'),
    });
  });

  it.each([
    ['error', 0],
    ['warning', 0],
    ['note', 1],
  ])('fails with --fail-on %s if there is such a finding or a worse one: %i', async (severity, expected) => {
    const input = DEPLOYMENT('k8s.aliyun.com/eci-image-cache: "true"');
    const { code, out } = await imc(['advise', '-f', '-', ...SOURCE, '--fail-on', severity], input);
    expect({ code, out }).toEqual({ code: expected, out: expect.stringContaining('legacy-annotation') });
  });

  it('has nothing to say of a workload that is as it should be', async () => {
    const input = DEPLOYMENT('k8s.aliyun.com/eci-auto-imc: "true"');
    expect(await imc(['advise', '-f', '-', ...SOURCE], input)).toEqual({
      code: 0,
      err: '',
      out: 'No advice on 1 workload.\n',
    });
  });

  it('says nothing about caches without a source, and says so', async () => {
    const input = DEPLOYMENT('k8s.aliyun.com/eci-imc-id: imc-unknown');
    const { code, out, err } = await imc(['advise', '-f', '-'], input);
    expect({ code, out }).toEqual({ code: 0, out: 'No advice on 1 workload.\n' });
    expect(err).toContain('no source, so nothing is said about caches');
  });

  it('prints one object a finding with -o json', async () => {
    const { out } = await imc(['advise', '-f', EXAMPLE, ...SOURCE, '-o', 'json']);
    expect(JSON.parse(out)).toEqual({
      file: EXAMPLE,
      line: 10,
      workload: 'Pod malformed',
      namespace: 'default',
      rule: 'malformed-annotation',
      severity: 'error',
      field: 'metadata.annotations[k8s.aliyun.com/eci-auto-imc]',
      why: '"yes please" is ignored',
      instead: 'write "true" or "false"',
    });
  });

  it('prints SARIF that names rule, level, file and line', async () => {
    const { out } = await imc(['advise', '-f', EXAMPLE, ...SOURCE, '-o', 'sarif']);
    const { version, runs } = JSON.parse(out) as {
      version: string;
      runs: { tool: { driver: { rules: { id: string }[] } }; results: { ruleIndex: number }[] }[];
    };
    const [run] = runs;
    expect(version).toBe('2.1.0');
    expect(run?.results).toEqual([
      expect.objectContaining({
        ruleId: 'malformed-annotation',
        level: 'error',
        message: { text: `Pod malformed: ${FAULT}` },
        locations: [
          expect.objectContaining({
            physicalLocation: { artifactLocation: { uri: EXAMPLE }, region: { startLine: 10 } },
          }),
        ],
      }),
    ]);
    expect(run?.tool.driver.rules[run.results[0]!.ruleIndex]?.id).toBe('malformed-annotation');
  });

  it('looks at all templates of a workflow, and says nothing of what another object made', async () => {
    const templates = Array.from({ length: 25 }, (_template, i) => ({
      name: `t${i}`,
      container: { image: 'a:1' },
      ...(i === 24 && { metadata: { annotations: { 'k8s.aliyun.com/eci-auto-imc': 'maybe' } } }),
    }));
    const workflow = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', metadata: { name: 'w' } };
    const found = await imc(
      ['advise', '-f', '-', ...SOURCE],
      JSON.stringify({ ...workflow, spec: { templates } }),
    );
    expect(found).toMatchObject({
      code: 1,
      out: expect.stringContaining('spec.templates[24].metadata') as string,
    });
    const owned = { ...workflow, metadata: { ownerReferences: [{ controller: true }] }, spec: { templates } };
    expect(await imc(['advise', '-f', '-', ...SOURCE], JSON.stringify(owned))).toMatchObject({
      code: 0,
      out: 'No advice on 1 workload.\n',
    });
  });

  it('prints SARIF with its braces doubled, which stand for placeholders otherwise', async () => {
    const input = DEPLOYMENT('k8s.aliyun.com/eci-ephemeral-storage-options: "yes"');
    const { out } = await imc(['advise', '-f', '-', ...SOURCE, '-o', 'sarif'], input);
    expect(out).toContain('such as {{\\"encrypted\\":\\"true\\"}}');
  });

  it.each([
    [['advise'], 2, 'no manifest: give -f FILE'],
    [
      ['advise', '-f', EXAMPLE, '--fail-on', 'fatal'],
      2,
      '--fail-on is "fatal"; it must be error, warning, note',
    ],
    [['advise', '-f', EXAMPLE, '-o', 'xml'], 2, '-o must be one of table, json, sarif'],
    [['advise', '-f', 'package.json'], 1, 'package.json:1: apiVersion is missing'],
    [['advise', '-f', '-'], 1, 'no pod in standard input'],
  ])('%j ends with %i: %s', async (args, expected, message) => {
    const { code, err } = await imc(args);
    expect({ code, err }).toEqual({ code: expected, err: expect.stringContaining(message) });
  });
});

/**
 * Every answer is what it was at commit 80295e1: over the examples, the oracle's worlds, a large population and mutants
 * of real reviews. This test exists only while the house is rebuilt. If an answer has to change, RECORD=1 records it,
 * and the commit says why.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { loadIndex, readPods } from '../../src/runtime/offline.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { describeCaches, describeImageSets } from '../bench/population.ts';
import { fuzz } from '../fuzz/fuzz.ts';
import { decideAsked, toObject } from '../oracle/asking.ts';
import type { OracleOptions } from '../oracle/oracle.ts';
import { event, options, pod } from '../oracle/worlds.ts';
import { asSubmitted } from '../support/admission.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import {
  cacheObject,
  decideFor,
  nodeObject,
  NOW,
  podObject,
  type ConfigChange,
  type Decided,
  type Json,
} from '../support/objects.ts';

const RECORDED = 'test/answers/recorded.json';
const EXAMPLES = 'test/examples';
const WORLDS = 2000;
const MUTANTS = 4000;

const recorded = JSON.parse(readFileSync(RECORDED, 'utf8')) as Record<string, string>;

/** All answers of a group, in their order, as one text to compare. */
class Answers {
  readonly #hash = createHash('sha256');

  addText(text: string): void {
    this.#hash.update(`${text}\n`);
  }

  add({ decision, annotations, labels }: Decided): void {
    const { outcome, reason, why, cacheId, warnings, pod: decided } = decision;
    const { containers } = decided;
    this.addText(JSON.stringify([outcome, reason, why, cacheId, warnings, annotations, labels, containers]));
  }

  expectAs(name: string): void {
    const digest = this.#hash.digest('hex').slice(0, 16);
    if (process.env['RECORD'] === '1') {
      recorded[name] = digest;
      writeFileSync(RECORDED, `${JSON.stringify(recorded, undefined, 2)}\n`);
    }
    expect(digest, name).toBe(recorded[name]);
  }
}

/** Configurations, each of which changes what is written. */
const CONFIGURATIONS: Record<string, ConfigChange> = {
  'the defaults': {},
  'a marker also if images lack': { createOnMiss: { when: 'incomplete', by: 'eci' } },
  'caches by the controller': { createOnMiss: { when: 'incomplete', by: 'controller' } },
  'both dialects, other versions': { dialect: 'both', minimumMatch: 'repository', pullPolicy: 'enforce' },
  'the older dialect, everything': { dialect: 'legacy', scope: 'all', onInvalidAnnotation: 'deny' },
  'pins replaced': { pin: { notReady: 'auto', unknown: 'deny' } },
};

/** The same object may be patched in more than one order of operations. */
function withoutPatch(text: string): string {
  return text.replace(/"patch":"[^"]*"/, '');
}

describe('the answers are what they were', () => {
  it.each(Object.keys(CONFIGURATIONS))('for the examples, with %s', async (name) => {
    const config = { ...DEFAULT_CONFIG, source: `files:${EXAMPLES}/cluster` };
    const index = await loadIndex(
      config,
      () => undefined,
      () => NOW,
    );
    const answers = new Answers();
    for (const file of readdirSync(join(EXAMPLES, 'pods')).toSorted())
      for (const { pod: template, namespace = 'default' } of readPods(
        file,
        readFileSync(join(EXAMPLES, 'pods', file), 'utf8'),
      ).pods)
        answers.add(decideFor(asSubmitted(template as Json, namespace), index, CONFIGURATIONS[name]));
    answers.expectAs(`examples, ${name}`);
  });

  it("for the oracle's worlds, as caches come, change and go", () => {
    const worlds = fc.sample(
      fc.tuple(
        fc.array(event, { minLength: 1, maxLength: 24, size: 'max' }),
        fc.array(pod, { minLength: 1, maxLength: 3 }),
        options,
      ),
      { seed: 24, numRuns: WORLDS },
    );
    const groups = Map.groupBy(worlds.entries(), ([i]) => Math.floor(i / 200));
    for (const [group, members] of groups) {
      const answers = new Answers();
      for (const [, [events, pods, chosen]] of members) {
        const index = new ClusterIndex();
        index.confirm(NOW);
        readEntry(readManifest(nodeObject('worker', {}, chosen.sizes))).apply(index);
        for (const each of events) {
          if ('apply' in each) readEntry(readManifest(toObject(each.apply))).apply(index);
          else index.imageCaches.delete(each.remove);
          for (const asked of pods) answers.add(decideAsked(index, asked, chosen));
        }
      }
      answers.expectAs(`worlds ${group}`);
    }
  });

  it('for many caches of popular images, where most candidates are refused for one reason or another', () => {
    const index = new ClusterIndex();
    index.confirm(NOW);
    for (const [i, { name, images, sizeGiB, createdAt }] of [...describeCaches(3000)].entries())
      readEntry(
        readManifest(
          cacheObject({
            name,
            images,
            size: i % 3 === 0 ? 60 : sizeGiB,
            phase: i % 7 === 0 ? 'Creating' : 'Ready',
            created: new Date(createdAt - (createdAt % 3_600_000)).toISOString(),
            deleting: i % 23 === 0,
            ...(i % 11 === 0 && { expires: new Date(NOW + (i % 20) * 60_000).toISOString() }),
            ...(i % 5 === 0 && { region: ['cn-beijing', 'cn-hangzhou'][i % 2]! }),
          }),
        ),
      ).apply(index);
    const imageSets = describeImageSets(3000);
    const answers = new Answers();
    for (let i = 0; i < 400; i++) {
      const chosen: OracleOptions = {
        minimumMatch: i % 2 === 0 ? 'image' : 'repository',
        expiryMargin: 600_000,
        region: i % 3 === 0 ? 'cn-beijing' : '',
        notReady: 'deny',
        unknown: 'warn',
        sizes: {},
        now: NOW,
      };
      const asked = {
        images: imageSets.next().value,
        perfect: i % 5 === 0,
        count: i % 3 === 0 ? (i % 4) + 1 : null,
        extraGiB: i % 4 === 0 ? 40 : 0,
        pin: null,
      };
      answers.add(decideAsked(index, asked, chosen));
      // One that has room for no cache at all.
      answers.add(
        decideFor(
          podObject({
            images: asked.images,
            annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '0' },
          }),
          index,
        ),
      );
    }
    answers.expectAs('population');
  });

  it('for mutants of real reviews: the response, and the object as patched', async () => {
    const answers = new Answers();
    await fuzz(MUTANTS, 24, {
      pullPolicy: 'warn',
      onAnswer: ({ status, text, patched }) =>
        answers.addText(`${status} ${withoutPatch(text)} ${JSON.stringify(patched)}`),
    });
    answers.expectAs('mutants');
  });
});

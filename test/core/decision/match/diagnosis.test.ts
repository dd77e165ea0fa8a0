/** The sentences that say why a cache was chosen, or why none was. */
import { expect, it } from 'vitest';
import { cacheObject, decideFor, indexOf, podObject } from '../../../support/objects.ts';

it('without a winner, the sentence names a candidate that holds enough images, if there is one', () => {
  const index = indexOf(
    cacheObject({ name: 'a-small', images: ['x:1'], size: 20 }),
    cacheObject({ name: 'b-large', images: ['x:1', 'y:1'], size: 500 }),
    cacheObject({ name: 'c-creating', images: ['x:1', 'y:1'], phase: 'Creating', progress: '40%' }),
  );
  const pod = podObject({
    images: ['x:1', 'y:1'],
    annotations: { 'k8s.aliyun.com/imc-perfect-match': 'true' },
  });
  expect(decideFor(pod, index).decision.why).toMatch(/; ImageCache b-large \(\S+\) is 500Gi, more than/);
});

it('of candidates that hold as many images, one is named whose images are not the reason for its refusal', () => {
  const images = ['x:1', 'z:1'];
  const index = indexOf(
    cacheObject({ name: 'a-holds-one', images: ['x:1'], size: 20 }),
    cacheObject({ name: 'b-creating', images, phase: 'Creating' }),
  );
  const pod = podObject({
    images: ['x:1', 'y:1'],
    annotations: { 'k8s.aliyun.com/imc-match-count-request': '2' },
  });
  const { why } = decideFor(pod, index).decision;
  expect(why).toContain('1 NotEnoughImages');
  expect(why).toMatch(/; ImageCache b-creating \(\S+\) is Creating/);
});

/** Says before the tests begin which programs of others they lack, and ends with 1 if there are any. */
import { messageOf } from '../../src/core/error-message.ts';
import { findPrograms, type Program } from './support/programs.ts';

const NEEDED: readonly Program[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'helm',
  'helm3',
];

try {
  findPrograms(...NEEDED);
} catch (error) {
  process.stderr.write(`make e2e: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

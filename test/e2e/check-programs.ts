/** Says before the tests begin which external programs are missing, and ends with 1 if any is. */
import { messageOf } from '../../src/core/kubernetes/problem.ts';
import { CLUSTER_PROGRAMS, findPrograms } from './support/programs.ts';

try {
  findPrograms(...CLUSTER_PROGRAMS, 'helm', 'helm3');
} catch (error) {
  process.stderr.write(`make e2e: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

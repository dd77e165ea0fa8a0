/** Formats findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), which code hosts show beside the lines. */
import { describeFinding } from '../core/advice/finding.ts';
import { RULES } from '../core/advice/rules.ts';
import type { LocatedFinding } from '../runtime/advise.ts';

export function formatSarif(findings: readonly LocatedFinding[]): string {
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'imc advise',
            rules: RULES.map(({ name, severity, finds }) => ({
              id: name,
              shortDescription: { text: finds },
              defaultConfiguration: { level: severity },
            })),
          },
        },
        results: findings.map(resultOf),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function resultOf(finding: LocatedFinding): object {
  const { rule, severity, file, line, workload, field } = finding;
  return {
    ruleId: rule,
    ruleIndex: RULES.findIndex(({ name }) => name === rule),
    level: severity,
    message: { text: escaped(`${workload}: ${describeFinding(finding)}`) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: file.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/') },
          region: { startLine: line },
        },
        logicalLocations: [{ fullyQualifiedName: field }],
      },
    ],
  };
}

/** Braces stand for placeholders in a message (SARIF 2.1.0, section 3.11.5). */
function escaped(text: string): string {
  return text.replaceAll('{', '{{').replaceAll('}', '}}');
}

/** Makes docs/commands.md from the table of commands: `node test/support/commands-page.ts` writes it, a test compares. */
import { writeFileSync } from 'node:fs';
import { COMMANDS } from '../../src/cli/cli.ts';
import { settingFlags, type Command, type Flag } from '../../src/cli/command.ts';

export const COMMANDS_PAGE = 'docs/commands.md';

const HEAD = `# Commands

\`imc\` is one program: the webhook, the controller, and what people ask. \`imc COMMAND --help\` prints the same as this page, which is made
from the code (\`node test/support/commands-page.ts\`).

Exit codes: 0 done; 1 failed, or found what it looks for; 2 the command line or the configuration is wrong. Commands that read a cluster use
the kubeconfig as kubectl does, unless \`--source files:DIR\` names a folder of manifests, and write nothing. Colours are only for
terminals, and \`NO_COLOR\` switches them off.

## As a plugin of kubectl

kubectl runs a program named \`kubectl-imc\` on the PATH as \`kubectl imc\`. The package brings it, and \`kubectl_complete-imc\`, which kubectl
asks for completions:

\`\`\`console
$ npm install && npm run build && npm link
$ kubectl imc explain deploy/checkout -n prod
\`\`\`

A shell completes \`imc\` itself with one of these in its start file: \`source <(imc completion bash)\`, \`source <(imc completion zsh)\`,
\`imc completion fish | source\`.
`;

function flagLine({ name, short, value, help, isSwitch }: Flag): string {
  const names = `\`${short === undefined ? '' : `-${short}, `}--${name}${isSwitch === true ? '' : ` ${value}`}\``;
  return `- ${names}: ${help}`;
}

function section(command: Command): string {
  const { name, summary, usage, flags } = command;
  const settings = settingFlags(command).map(({ name: setting }) => `\`--${setting}\``);
  const own = flags.length === 0 ? '' : `\n${flags.map(flagLine).join('\n')}\n`;
  const others =
    settings.length === 0
      ? ''
      : `\nSettings ([what they mean](reference.md#configuration)): ${settings.join(', ')}.\n`;
  return `\n## imc ${name}\n\n${summary}\n\n\`\`\`\n${usage}\n\`\`\`\n${own}${others}`;
}

export function commandsPage(): string {
  return `${HEAD}${COMMANDS.map(section).join('')}`;
}

if (import.meta.main) writeFileSync(COMMANDS_PAGE, commandsPage());

/** `imc completion`: prints the script with which a shell completes the command line of imc. */
import { UsageError, type Command } from './command.ts';

const BASH = `_imc() {
  local line directive=""
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(imc __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [ "$directive" = 0 ] && compopt -o default 2>/dev/null
  [ "$directive" = 6 ] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _imc imc
`;

const ZSH = `#compdef imc
_imc() {
  local -a lines found
  local line directive=4
  lines=("\${(@f)$(imc __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    if [[ $line == :* ]]; then
      directive=\${line#:}
    else
      found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done
  if [[ $directive == 0 ]]; then
    _files
  elif [[ $directive == 6 ]]; then
    _describe 'imc' found -S ''
  else
    _describe 'imc' found
  fi
}
compdef _imc imc
`;

const FISH = `function __imc_complete
  set -l words (commandline -opc) (commandline -ct)
  imc __complete $words[2..-1] 2>/dev/null | string match -v -r '^:'
end
function __imc_files
  set -l words (commandline -opc) (commandline -ct)
  contains -- :0 (imc __complete $words[2..-1] 2>/dev/null)
end
complete -c imc -f -a '(__imc_complete)'
complete -c imc -F -n __imc_files
`;

const SCRIPTS: ReadonlyMap<string, string> = new Map([
  ['bash', BASH],
  ['zsh', ZSH],
  ['fish', FISH],
]);

export const SHELLS: readonly string[] = [...SCRIPTS.keys()];

export const completion: Command = {
  name: 'completion',
  summary: 'Print the script with which bash, zsh or fish completes the command line of imc.',
  usage: 'imc completion bash|zsh|fish',
  takesNames: true,
  flags: [],
  settings: [],
  run: ({ names }, io) => {
    const script = names.length === 1 ? SCRIPTS.get(names[0] ?? '') : undefined;
    if (script === undefined) throw new UsageError(`give one shell: ${SHELLS.join(', ')}`);
    io.out.write(script);
    return Promise.resolve(0);
  },
};

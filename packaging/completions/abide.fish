# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_abide_global_optspecs
    string join \n h/help V/version
end

function __fish_abide_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_abide_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_abide_using_subcommand
    set -l cmd (__fish_abide_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c abide -n "__fish_abide_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_needs_command" -s V -l version -d 'Print version'
complete -c abide -n "__fish_abide_needs_command" -f -a "run" -d 'Start a session in the background'
complete -c abide -n "__fish_abide_needs_command" -f -a "attach" -d 'Open a session in this terminal'
complete -c abide -n "__fish_abide_needs_command" -f -a "a" -d 'Open a session in this terminal'
complete -c abide -n "__fish_abide_needs_command" -f -a "peek" -d 'Show a session\'s screen as it is now, without attaching'
complete -c abide -n "__fish_abide_needs_command" -f -a "logs" -d 'Show a session\'s output, also of one that has ended'
complete -c abide -n "__fish_abide_needs_command" -f -a "send" -d 'Type text into a session, and Enter after it'
complete -c abide -n "__fish_abide_needs_command" -f -a "wait" -d 'Wait until a session\'s turn is over, or until it is in a given state'
complete -c abide -n "__fish_abide_needs_command" -f -a "ls" -d 'List the sessions that abide runs'
complete -c abide -n "__fish_abide_needs_command" -f -a "list" -d 'List the sessions that abide runs'
complete -c abide -n "__fish_abide_needs_command" -f -a "ps" -d 'List every live session: those that abide runs, and your own at terminals'
complete -c abide -n "__fish_abide_needs_command" -f -a "agents" -d 'List every live session: those that abide runs, and your own at terminals'
complete -c abide -n "__fish_abide_needs_command" -f -a "show" -d 'Show all that is known of one session'
complete -c abide -n "__fish_abide_needs_command" -f -a "stop" -d 'End the processes of sessions. They stay listed, with their output'
complete -c abide -n "__fish_abide_needs_command" -f -a "kill" -d 'End the processes of sessions. They stay listed, with their output'
complete -c abide -n "__fish_abide_needs_command" -f -a "respawn" -d 'Start sessions again: an agent where it left off, a plain command anew'
complete -c abide -n "__fish_abide_needs_command" -f -a "rm" -d 'Remove sessions: the process is ended, and the record and the output are deleted'
complete -c abide -n "__fish_abide_needs_command" -f -a "pin" -d 'Keep sessions running, however long they are idle'
complete -c abide -n "__fish_abide_needs_command" -f -a "unpin" -d 'Undo `abide pin`'
complete -c abide -n "__fish_abide_needs_command" -f -a "rename" -d 'Give a session another name'
complete -c abide -n "__fish_abide_needs_command" -f -a "why" -d 'Explain a session\'s state and what it counts as, or with --self what the caller counts as'
complete -c abide -n "__fish_abide_needs_command" -f -a "worktree" -d 'The worktrees of the repository that you are in: make them, list them, remove them so that nothing is lost'
complete -c abide -n "__fish_abide_needs_command" -f -a "trust" -d 'Trust a repository: let what it brings be executed in worktrees of it'
complete -c abide -n "__fish_abide_needs_command" -f -a "undelete" -d 'Bring a removed worktree back as it was: place, branch, commit, index and files. Without an id, list what can be'
complete -c abide -n "__fish_abide_needs_command" -f -a "events" -d 'What happened, as numbered events: starts, states, ends, who asked'
complete -c abide -n "__fish_abide_needs_command" -f -a "hook" -d 'Answer a hook of an agent, whose settings have it call this'
complete -c abide -n "__fish_abide_needs_command" -f -a "mcp" -d 'Give an agent tools to work with sessions, by the Model Context Protocol on standard input and output'
complete -c abide -n "__fish_abide_needs_command" -f -a "daemon" -d 'The supervisor: what it does now, and how to make it leave or show its log'
complete -c abide -n "__fish_abide_needs_command" -f -a "doctor" -d 'Check this machine, and tell what will become of sessions on it'
complete -c abide -n "__fish_abide_needs_command" -f -a "install" -d 'Install the supervisor as a service of your user manager (systemd, launchd)'
complete -c abide -n "__fish_abide_needs_command" -f -a "uninstall" -d 'Take away what `abide install` did'
complete -c abide -n "__fish_abide_needs_command" -f -a "completions" -d 'Print a completion script for a shell. In bash, zsh and fish it completes ids and names of sessions, too'
complete -c abide -n "__fish_abide_needs_command" -f -a "man" -d 'Print the manual page, of abide or of one of its commands'
complete -c abide -n "__fish_abide_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand run" -s n -l name -d 'A name, to use instead of the id' -r
complete -c abide -n "__fish_abide_using_subcommand run" -l agent -d 'The agent\'s profile [default: `agent` of the settings, claude]' -r
complete -c abide -n "__fish_abide_using_subcommand run" -l cwd -d 'Working directory [default: this one]' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand run" -l env -d 'Pass this variable on, even where it would be left out; its value is this shell\'s' -r
complete -c abide -n "__fish_abide_using_subcommand run" -l env-file -d 'Set the variables of this file: a NAME=value a line, # for comments' -r -F
complete -c abide -n "__fish_abide_using_subcommand run" -l restart -d 'What becomes of it when the machine, or your last login, ends [default: `restart` of the settings, manual]' -r -f -a "never\t''
manual\t''
auto\t''"
complete -c abide -n "__fish_abide_using_subcommand run" -l pin -d 'Keep it running, however long it is idle'
complete -c abide -n "__fish_abide_using_subcommand run" -l attach -d 'Attach to it at once'
complete -c abide -n "__fish_abide_using_subcommand run" -l json -d 'Print the session as JSON: one object as in `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand attach" -l detach-key -d 'What detaches: a chord like `ctrl-q`, or one and a key like `ctrl-\\ d`; `none` for nothing' -r
complete -c abide -n "__fish_abide_using_subcommand attach" -s r -l read-only -d 'Only look: nothing that is typed reaches it'
complete -c abide -n "__fish_abide_using_subcommand attach" -l no-scrollback -d 'Only the screen, without the lines above it'
complete -c abide -n "__fish_abide_using_subcommand attach" -s q -l quiet -d 'No remarks before and after'
complete -c abide -n "__fish_abide_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand a" -l detach-key -d 'What detaches: a chord like `ctrl-q`, or one and a key like `ctrl-\\ d`; `none` for nothing' -r
complete -c abide -n "__fish_abide_using_subcommand a" -s r -l read-only -d 'Only look: nothing that is typed reaches it'
complete -c abide -n "__fish_abide_using_subcommand a" -l no-scrollback -d 'Only the screen, without the lines above it'
complete -c abide -n "__fish_abide_using_subcommand a" -s q -l quiet -d 'No remarks before and after'
complete -c abide -n "__fish_abide_using_subcommand a" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand peek" -l last -d 'Of a session that is parked, its last screen: it is not resumed'
complete -c abide -n "__fish_abide_using_subcommand peek" -l color -d 'With colours, also where standard output is no terminal'
complete -c abide -n "__fish_abide_using_subcommand peek" -l json -d 'As JSON: id, live, cols, rows, cursor (column and row, from 0; while live), lines'
complete -c abide -n "__fish_abide_using_subcommand peek" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand logs" -l since -d 'From this byte on' -r
complete -c abide -n "__fish_abide_using_subcommand logs" -s n -l lines -d 'So many of the last lines' -r
complete -c abide -n "__fish_abide_using_subcommand logs" -l grep -d 'Only lines in which this regular expression is found' -r
complete -c abide -n "__fish_abide_using_subcommand logs" -s f -l follow -d 'Stay, and print what comes, until the session ends'
complete -c abide -n "__fish_abide_using_subcommand logs" -l plain -d 'Without escape sequences; lines that were overwritten, as progress bars are, as they were in the end'
complete -c abide -n "__fish_abide_using_subcommand logs" -l raw -d 'Every byte as it was written, to a terminal too'
complete -c abide -n "__fish_abide_using_subcommand logs" -l offsets -d 'At the end, tell on standard error where to go on'
complete -c abide -n "__fish_abide_using_subcommand logs" -l json -d 'As JSON, an object a line'
complete -c abide -n "__fish_abide_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand send" -l no-enter -d 'Without Enter at the end'
complete -c abide -n "__fish_abide_using_subcommand send" -l keys -d 'As single keys rather than as a paste: control characters act'
complete -c abide -n "__fish_abide_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand wait" -l for -d 'A state to wait for; may be repeated' -r -f -a "queued\t''
starting\t''
working\t''
blocked\t''
idle\t''
done\t''
failed\t''
stopped\t''
parked\t''"
complete -c abide -n "__fish_abide_using_subcommand wait" -l timeout -d 'Give up after this time, as `90s`, `10m`, `1h`' -r
complete -c abide -n "__fish_abide_using_subcommand wait" -l json -d 'Print the session as JSON: one object as in `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand ls" -l cwd -d 'Only sessions whose working directory is this, or below' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand ls" -l json -d 'As JSON: one array'
complete -c abide -n "__fish_abide_using_subcommand ls" -s a -l all -d 'Sessions that are over, too'
complete -c abide -n "__fish_abide_using_subcommand ls" -s m -l memory -d 'Show what each uses: memory and processor time'
complete -c abide -n "__fish_abide_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand list" -l cwd -d 'Only sessions whose working directory is this, or below' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand list" -l json -d 'As JSON: one array'
complete -c abide -n "__fish_abide_using_subcommand list" -s a -l all -d 'Sessions that are over, too'
complete -c abide -n "__fish_abide_using_subcommand list" -s m -l memory -d 'Show what each uses: memory and processor time'
complete -c abide -n "__fish_abide_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand ps" -l cwd -d 'Only sessions whose working directory is this, or below' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand ps" -l json -d 'As JSON: one array'
complete -c abide -n "__fish_abide_using_subcommand ps" -s a -l all -d 'Sessions that are over, too'
complete -c abide -n "__fish_abide_using_subcommand ps" -s m -l memory -d 'Show what each uses: memory and processor time'
complete -c abide -n "__fish_abide_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand agents" -l cwd -d 'Only sessions whose working directory is this, or below' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand agents" -l json -d 'As JSON: one array'
complete -c abide -n "__fish_abide_using_subcommand agents" -s a -l all -d 'Sessions that are over, too'
complete -c abide -n "__fish_abide_using_subcommand agents" -s m -l memory -d 'Show what each uses: memory and processor time'
complete -c abide -n "__fish_abide_using_subcommand agents" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand show" -l json -d 'As JSON: one object'
complete -c abide -n "__fish_abide_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand stop" -l grace -d 'How long the program may take to end by itself [default: `stop_grace` of the settings]' -r
complete -c abide -n "__fish_abide_using_subcommand stop" -l all -d 'All that have a process'
complete -c abide -n "__fish_abide_using_subcommand stop" -l json -d 'As JSON: an array as of `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand kill" -l grace -d 'How long the program may take to end by itself [default: `stop_grace` of the settings]' -r
complete -c abide -n "__fish_abide_using_subcommand kill" -l all -d 'All that have a process'
complete -c abide -n "__fish_abide_using_subcommand kill" -l json -d 'As JSON: an array as of `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand respawn" -l all -d 'All whose agent\'s program was replaced since they were started'
complete -c abide -n "__fish_abide_using_subcommand respawn" -l when-idle -d 'Each when its turn is over and nobody is attached; does not wait for that'
complete -c abide -n "__fish_abide_using_subcommand respawn" -l json -d 'As JSON: an array as of `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand respawn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand rm" -l json -d 'As JSON: an array as of `abide ls --json`'
complete -c abide -n "__fish_abide_using_subcommand rm" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand pin" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand unpin" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand rename" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand why" -l self -d 'Explain what the process that asks counts as'
complete -c abide -n "__fish_abide_using_subcommand why" -l json -d 'As JSON: an object of `session` (as in `abide ls --json`), `class` and `reasons`'
complete -c abide -n "__fish_abide_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -f -a "add" -d 'Make a worktree on a branch of its own, or open the one of that name again'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -f -a "list" -d 'List the worktrees, without the main checkout'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -f -a "remove" -d 'Remove a worktree, its folder and the branch that was made for it'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -f -a "sweep" -d 'Remove the worktrees that programs made and nobody uses any more'
complete -c abide -n "__fish_abide_using_subcommand worktree; and not __fish_seen_subcommand_from add list remove sweep help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from add" -l base -d 'What it starts from [default: fresh, or what the repository\'s settings say]' -r -f -a "fresh\t'The default branch of origin, fetched where that was long ago'
head\t'The commit of the checkout you are in'"
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from add" -l ephemeral -d 'It may go when it is old and nothing is in it'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from add" -l require-trust -d 'Refuse, with exit code 4, where the repository\'s hooks, setup and links would be left out'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from add" -l json -d 'Print an object'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from list" -l status -d 'Look into each'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from list" -l json -d 'As JSON: one array'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from remove" -l discard-changes -d 'Remove it with what is nowhere else; all of it can be brought back for a while'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from sweep" -l dry-run -d 'Only tell what would be done'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from sweep" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a worktree on a branch of its own, or open the one of that name again'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the worktrees, without the main checkout'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a worktree, its folder and the branch that was made for it'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from help" -f -a "sweep" -d 'Remove the worktrees that programs made and nobody uses any more'
complete -c abide -n "__fish_abide_using_subcommand worktree; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand trust" -l revoke -d 'No longer'
complete -c abide -n "__fish_abide_using_subcommand trust" -l status -d 'Only say'
complete -c abide -n "__fish_abide_using_subcommand trust" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand undelete" -l to -d 'Another place' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand undelete" -l json -d 'As JSON, when listing'
complete -c abide -n "__fish_abide_using_subcommand undelete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand events" -l since -d 'Only those after this number' -r
complete -c abide -n "__fish_abide_using_subcommand events" -s f -l follow -d 'Stay, and print what happens'
complete -c abide -n "__fish_abide_using_subcommand events" -l json -d 'As JSON, an object a line'
complete -c abide -n "__fish_abide_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand hook" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand mcp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -f -a "status" -d 'Tell whether a supervisor runs, without ever starting one'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -f -a "run" -d 'Run the supervisor in this terminal, instead of in the background'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -f -a "stop" -d 'Make the supervisor leave. No session ends; the next command starts it again'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -f -a "logs" -d 'Show the supervisor\'s log: from the journal, or from its file where there is no journal or no journalctl'
complete -c abide -n "__fish_abide_using_subcommand daemon; and not __fish_seen_subcommand_from status run stop logs help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from status" -l json -d 'As JSON: one object'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s n -l lines -d 'So many of the last lines' -r
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Stay, and print what comes'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "status" -d 'Tell whether a supervisor runs, without ever starting one'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run the supervisor in this terminal, instead of in the background'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "stop" -d 'Make the supervisor leave. No session ends; the next command starts it again'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Show the supervisor\'s log: from the journal, or from its file where there is no journal or no journalctl'
complete -c abide -n "__fish_abide_using_subcommand daemon; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand doctor" -l json -d 'As JSON: one object'
complete -c abide -n "__fish_abide_using_subcommand doctor" -l prove -d 'Kill and replace the supervisor under a session made for it'
complete -c abide -n "__fish_abide_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand install" -l linger -d 'Outlive the last logout, by lingering; `no` takes back what an earlier `yes` did' -r -f -a "yes\t''
no\t''"
complete -c abide -n "__fish_abide_using_subcommand install" -l dry-run -d 'Only show what would be done'
complete -c abide -n "__fish_abide_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand uninstall" -l linger -d 'With `no`, end the lingering that `abide install` turned on' -r -f -a "yes\t''
no\t''"
complete -c abide -n "__fish_abide_using_subcommand uninstall" -l dry-run -d 'Only show what would be done'
complete -c abide -n "__fish_abide_using_subcommand uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c abide -n "__fish_abide_using_subcommand completions" -l sessions -d 'Print ids and names instead, from their files: for the scripts'
complete -c abide -n "__fish_abide_using_subcommand completions" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand man" -l dir -d 'Write all pages into this folder instead' -r -f -a "(__fish_complete_directories)"
complete -c abide -n "__fish_abide_using_subcommand man" -s h -l help -d 'Print help'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "run" -d 'Start a session in the background'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "attach" -d 'Open a session in this terminal'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "peek" -d 'Show a session\'s screen as it is now, without attaching'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "logs" -d 'Show a session\'s output, also of one that has ended'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "send" -d 'Type text into a session, and Enter after it'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "wait" -d 'Wait until a session\'s turn is over, or until it is in a given state'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "ls" -d 'List the sessions that abide runs'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "ps" -d 'List every live session: those that abide runs, and your own at terminals'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "show" -d 'Show all that is known of one session'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "stop" -d 'End the processes of sessions. They stay listed, with their output'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "respawn" -d 'Start sessions again: an agent where it left off, a plain command anew'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "rm" -d 'Remove sessions: the process is ended, and the record and the output are deleted'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "pin" -d 'Keep sessions running, however long they are idle'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "unpin" -d 'Undo `abide pin`'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "rename" -d 'Give a session another name'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "why" -d 'Explain a session\'s state and what it counts as, or with --self what the caller counts as'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "worktree" -d 'The worktrees of the repository that you are in: make them, list them, remove them so that nothing is lost'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "trust" -d 'Trust a repository: let what it brings be executed in worktrees of it'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "undelete" -d 'Bring a removed worktree back as it was: place, branch, commit, index and files. Without an id, list what can be'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "events" -d 'What happened, as numbered events: starts, states, ends, who asked'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "hook" -d 'Answer a hook of an agent, whose settings have it call this'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "mcp" -d 'Give an agent tools to work with sessions, by the Model Context Protocol on standard input and output'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "daemon" -d 'The supervisor: what it does now, and how to make it leave or show its log'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "doctor" -d 'Check this machine, and tell what will become of sessions on it'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "install" -d 'Install the supervisor as a service of your user manager (systemd, launchd)'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "uninstall" -d 'Take away what `abide install` did'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "completions" -d 'Print a completion script for a shell. In bash, zsh and fish it completes ids and names of sessions, too'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "man" -d 'Print the manual page, of abide or of one of its commands'
complete -c abide -n "__fish_abide_using_subcommand help; and not __fish_seen_subcommand_from run attach peek logs send wait ls ps show stop respawn rm pin unpin rename why worktree trust undelete events hook mcp daemon doctor install uninstall completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from worktree" -f -a "add" -d 'Make a worktree on a branch of its own, or open the one of that name again'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from worktree" -f -a "list" -d 'List the worktrees, without the main checkout'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from worktree" -f -a "remove" -d 'Remove a worktree, its folder and the branch that was made for it'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from worktree" -f -a "sweep" -d 'Remove the worktrees that programs made and nobody uses any more'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "status" -d 'Tell whether a supervisor runs, without ever starting one'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "run" -d 'Run the supervisor in this terminal, instead of in the background'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "stop" -d 'Make the supervisor leave. No session ends; the next command starts it again'
complete -c abide -n "__fish_abide_using_subcommand help; and __fish_seen_subcommand_from daemon" -f -a "logs" -d 'Show the supervisor\'s log: from the journal, or from its file where there is no journal or no journalctl'
complete -c abide -n "__fish_abide_using_subcommand attach" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand a" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand peek" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand logs" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand send" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand wait" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand show" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand stop" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand kill" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand respawn" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand rm" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand pin" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand unpin" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand rename" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand why" -f -a "(abide completions --sessions)"
complete -c abide -n "__fish_abide_using_subcommand events" -f -a "(abide completions --sessions)"

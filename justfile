# Short names for what is typed often. `just --list` shows them.

# The check of the embedded reference server
check *ARGS:
    cargo run --release -- check {{ARGS}}

# All tests
test:
    cargo test --workspace

# The conformance check of a server as tests: just conformance 'node server.js'
conformance TARGET *ARGS:
    MCPROVE_TARGET={{quote(TARGET)}} cargo test -p mcprove --test conformance -- {{ARGS}}

# What has to pass before a change goes in
ci:
    .ci/run

# Wall time, process starts and CPU time of a check; with --cold also of cold builds
measure *ARGS:
    .ci/measure {{ARGS}}

# The reference server beside servers of other makers; needs node, npm and python3
bench-peers *ARGS:
    .ci/bench-peers {{ARGS}}

# What is found on real servers against what is known of them: just zoo --few; needs node, npm and python3
zoo *ARGS:
    cargo build --release
    .ci/zoo {{ARGS}}

# The official conformance suite against the reference server; needs npm and python3
official-suite:
    cargo build --release
    .ci/official-suite

# Is every fault that the reference server can have seen, and nothing else?
kill-matrix *ARGS:
    .ci/kill-matrix {{ARGS}}

# What is generated: examples, pages, tables; with --quick without the runs of the kill matrix
docs *ARGS:
    .ci/docs {{ARGS}}

# How fast, and in how much memory, recordings are checked: just transcript-speed --size 256
transcript-speed *ARGS:
    cargo build --release
    .ci/transcript-speed {{ARGS}}

# Record fixtures/transcripts anew, with the servers that `just zoo --install` has installed
record-fixtures *ARGS:
    cargo build --release -p mcprove --bins --example converse
    .ci/record-fixtures {{ARGS}}

# What takes too long for each change
nightly:
    .ci/nightly

# How many requirements are decided
coverage:
    cargo run --release -- list requirements --coverage

# Fuzz one decoder: just fuzz sse
fuzz TARGET *ARGS:
    cargo fuzz run {{TARGET}} {{ARGS}}

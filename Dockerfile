# The project's own image: the helper beside an engine that is not on this machine, or
# whose user is not root. Build it with: docker build -t localhost/vexxy-enterprise .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
    clang gcc libbpf-dev libc6-dev libelf-dev make python3 python3-venv zlib1g-dev
WORKDIR /source
COPY native native
RUN make -C native
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python3 -m venv /opt/vexxy \
    && /opt/vexxy/bin/pip install -q --no-cache-dir -c constraints.txt . \
    && install -m 0755 native/build/vexxy-trace /opt/vexxy/bin/vexxy-trace

FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
# What test scripts of the user can count on beside a shell: curl and Python.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
    bubblewrap curl mount python3 util-linux \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/vexxy /opt/vexxy
RUN ln -s /opt/vexxy/bin/vexxy /usr/local/bin/vexxy
LABEL io.vexxy.helper=1
ENTRYPOINT ["/usr/local/bin/vexxy"]
CMD ["--help"]

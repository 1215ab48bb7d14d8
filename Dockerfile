# Three stages: build, test, and a slim image that runs. Every command is one that people and CI type too;
# test/tidy/documents.test.ts holds them to package.json and .ci/setup.sh.
#   docker build --target test .            the whole of `npm test`
#   docker build -t ottla . && docker run -p 9092:9092 -v ottla:/data ottla

FROM node:24-slim AS build
WORKDIR /ottla
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
      g++ cmake make libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev && \
    rm -rf /var/lib/apt/lists/*
COPY . .
RUN npm ci
RUN npm run build

FROM build AS test
RUN npm test

FROM build AS slim
RUN npm prune --omit=dev --ignore-scripts

FROM node:24-slim AS runtime
WORKDIR /ottla
COPY --from=slim /ottla/package.json ./
COPY --from=slim /ottla/node_modules ./node_modules
COPY --from=slim /ottla/dist ./dist
COPY --from=slim /ottla/build/Release/ottla.node ./build/Release/ottla.node
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 9092
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "require('node:net').connect(9092, '127.0.0.1', () => process.exit(0)).on('error', () => process.exit(1))"]
CMD ["node", "dist/main.js", "start", "--data-dir", "/data", \
     "--set", "listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093", \
     "--set", "advertised.listeners=PLAINTEXT://localhost:9092"]

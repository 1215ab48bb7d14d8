# For people who build with node-gyp: the same sources and flags as CMakeLists.txt, which is the one we test.
{
  'targets': [
    {
      'target_name': 'ottla',
      'sources': [
        "<!@(node -p \"require('fs').readdirSync('native',{recursive:true}).filter(f=>f.endsWith('.cc')).map(f=>'native/'+f).join(' ')\")"
      ],
      'include_dirs': ["<!@(node -p \"require('node-addon-api').include\")"],
      'defines': [
        'NAPI_VERSION=9',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED'
      ],
      'cflags!': ['-O2'],
      'cflags': ['-O3', '-fvisibility=hidden', '-Wall', '-Wextra'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++14'],
      'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fno-rtti', '-fno-gnu-unique', '-fvisibility-inlines-hidden'],
      'ldflags': [
        '-Wl,--exclude-libs,ALL', '-Wl,-Bsymbolic', '-Wl,-z,nodynamic-undefined-weak',
        '-Wl,--version-script=../native/addon.map'
      ],
      'libraries': ['-l:libzstd.a', '-l:liblz4.a', '-l:libsnappy.a', '-l:libz.a', '-lpthread']
    }
  ]
}

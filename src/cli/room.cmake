target_link_libraries(sluice_cli PUBLIC csv bz2 z zstd)

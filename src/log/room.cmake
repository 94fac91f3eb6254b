target_link_libraries(sluice_log PUBLIC xxhash)
